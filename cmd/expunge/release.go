package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/intake"
	"expunge/pipeline/seal"
)

func releaseCommand(f *flags) *cobra.Command {
	var to, by string
	var key bool
	c := &cobra.Command{
		Use:   "release ACCOUNT/ID",
		Short: "Write a request's bundle to a directory for hand-over, and record who did",
		Long: "The bundle is written in readable form: what is sealed in the work store is opened. --key prints instead\n" +
			"the key of its sealed Parquet, for DuckDB, Spark or pyarrow; who asked for it is recorded as well.",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, e, err := request(c, f, args[0])
			if err != nil {
				return err
			}
			switch {
			case key && to != "":
				return usage("--key writes no files: leave out --to DIR, or --key")
			case to == "" && !key:
				return usage("--to DIR is missing")
			case strings.TrimSpace(by) == "":
				return usage("--by NAME is missing: a release records who gave the data out")
			case key:
				return a.handOverKey(c.Context(), e.Request.Ref(), by)
			}
			return a.handOver(c.Context(), e.Request.Ref(), to, by)
		},
	}
	c.Flags().StringVar(&to, "to", "", "a directory that is empty or not there yet")
	c.Flags().StringVar(&by, "by", "", "who hands it over")
	c.Flags().BoolVar(&key, "key", false, "print the key of the sealed Parquet instead, in base64")
	return c
}

// stored are the bundles of a request that are handed over: the bundle and what
// supplements it.
func (a *app) stored(ctx context.Context, ref pipeline.RequestRef) ([]*bundle.Bundle, error) {
	all, err := bundle.All(ctx, a.work, a.keys, ref)
	if err == nil && len(all) == 0 {
		return nil, usage("request %s has no bundle yet: `expunge status` says where it stands", ref)
	}
	return all, forged(err)
}

// forged turns what was changed in the work store into its exit code.
func forged(err error) error {
	if errors.Is(err, seal.ErrForged) {
		return &coded{exitRefused, err}
	}
	return err
}

// note records a release before anything is given out: nothing is that no record
// tells of.
func (a *app) note(ctx context.Context, ref pipeline.RequestRef, by, what string) error {
	err := a.requests().Note(ctx, ref, by, what)
	if errors.Is(err, intake.ErrWithdrawn) {
		return &coded{exitUsage, err}
	}
	return err
}

// handOver writes the bundles of a request in clear, file by file against their digests.
func (a *app) handOver(ctx context.Context, ref pipeline.RequestRef, to, by string) error {
	all, err := a.stored(ctx, ref)
	if err != nil {
		return err
	}
	if err := emptyDir(to); err != nil {
		return err
	}
	if err := a.note(ctx, ref, by, "bundle released"); err != nil {
		return err
	}
	files, supplements := 0, []string{}
	var later []string
	for _, b := range all[1:] {
		later = append(later, b.Supplement())
	}
	for i, b := range all {
		dir := filepath.Join(to, filepath.FromSlash(b.Supplement()))
		names := later // on the first page, which people open
		if i > 0 {
			names = nil
		}
		if err := writeOut(ctx, b, dir, names); err != nil {
			return err
		}
		files += len(b.Index.Files) + 1
		if b.Supplement() != "" {
			supplements = append(supplements, dir)
		}
	}
	if a.flags.json {
		return printJSON(map[string]any{"request": ref.String(), "to": to, "files": files, "supplements": supplements})
	}
	fmt.Printf("bundle of %s written to %s: %s; open index.html there\n", ref, to, pipeline.Count(files, "file", "files"))
	for _, dir := range supplements {
		fmt.Printf("what was found later is in %s, with an index.html of its own\n", dir)
	}
	return nil
}

// writeOut writes one bundle in clear below dir, bundle.json last. Its page links to its
// supplements.
func writeOut(ctx context.Context, b *bundle.Bundle, dir string, supplements []string) error {
	sums := make([]string, len(b.Index.Files))
	for i, f := range b.Index.Files {
		var err error
		if sums[i], err = copyOut(ctx, b, f, filepath.Join(dir, filepath.FromSlash(b.Path(f))), supplements); err != nil {
			return err
		}
	}
	index, err := b.Released(sums)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "bundle.json"), index, 0o600); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// bundleKey opens the Parquet of a sealed bundle; ID is what its bundle.json calls it.
type bundleKey struct {
	Key string `json:"key"`
	ID  string `json:"key_id"`
}

// handOverKey prints the key that opens a bundle's Parquet, and nothing else on
// stdout: how to use it goes to stderr. Where the work key was rotated between a
// bundle and what supplements it there are several, a line for each in their order.
func (a *app) handOverKey(ctx context.Context, ref pipeline.RequestRef, by string) error {
	all, err := a.stored(ctx, ref)
	if err != nil {
		return err
	}
	var keys []bundleKey
	for _, b := range all {
		key, id, err := b.Key()
		if err != nil {
			return usage("the bundle of %s is not sealed: read it where it is, in %s/%s", ref, strings.TrimSuffix(a.work.URL(), "/"), b.Dir())
		}
		if k := (bundleKey{key, id}); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	if err := a.note(ctx, ref, by, "bundle key released"); err != nil {
		return err
	}
	if a.flags.json {
		return printJSON(map[string]any{"request": ref.String(), "key": keys[0].Key, "key_id": keys[0].ID, "keys": keys})
	}
	for _, k := range keys {
		fmt.Println(k.Key)
	}
	fmt.Fprintf(os.Stderr, "In DuckDB, with that line as KEY and a file below bundles/%s of the work store as FILE:\n"+
		"  PRAGMA add_parquet_key('bundle', 'KEY');\n"+
		"  SELECT * FROM read_parquet('FILE', encryption_config = {footer_key: 'bundle'});\n"+
		"It opens no lists and structs of an encrypted file yet: EXCLUDE them there, or read with pyarrow, which does.\n", ref)
	return nil
}

// emptyDir makes a directory, or takes one that is empty.
func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read directory: %w", err)
	}
	if len(there) > 0 {
		return usage("%s is not empty: a bundle is not mixed with other files", dir)
	}
	return nil
}

// copyOut writes one file of a bundle and returns its digest. What is not what was
// written into the bundle is not written at all. The page for people names supplements.
func copyOut(ctx context.Context, b *bundle.Bundle, f bundle.File, name string, supplements []string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return "", fmt.Errorf("write %s: %w", b.Path(f), err)
	}
	out, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("write %s: %w", b.Path(f), err)
	}
	sum := sha256.New()
	to := io.MultiWriter(out, sum)
	if b.Path(f) == bundle.Page && len(supplements) > 0 {
		var page bytes.Buffer
		if err = b.Copy(ctx, f, &page); err == nil {
			_, err = to.Write(bundle.Linked(page.Bytes(), supplements))
		}
	} else {
		err = b.Copy(ctx, f, to)
	}
	if err := errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(name)
		return "", forged(fmt.Errorf("write %s: %w", b.Path(f), err))
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
