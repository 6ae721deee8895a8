package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/intake"
)

func releaseCommand(f *flags) *cobra.Command {
	var to, by string
	c := &cobra.Command{
		Use:   "release ACCOUNT/ID",
		Short: "Write a request's bundle to a directory for hand-over, and record who did",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			a, e, err := request(c, f, args[0])
			if err != nil {
				return err
			}
			switch {
			case to == "":
				return usage("--to DIR is missing")
			case strings.TrimSpace(by) == "":
				return usage("--by NAME is missing: a release records who gave the data out")
			}
			return a.handOver(c.Context(), e.Request.Ref(), to, by)
		},
	}
	c.Flags().StringVar(&to, "to", "", "a directory that is empty or not there yet")
	c.Flags().StringVar(&by, "by", "", "who hands it over")
	return c
}

// handOver copies a bundle, file by file against its digests. Who did is recorded
// first: nothing is given out that no record tells of.
func (a *app) handOver(ctx context.Context, ref pipeline.RequestRef, to, by string) error {
	dir := "bundles/" + ref.Account + "/" + ref.ID + "/"
	var index bundle.Index
	raw, err := a.read(ctx, dir+"bundle.json")
	if errors.Is(err, connectors.ErrNotFound) {
		return usage("request %s has no bundle yet: `expunge status` says where it stands", ref)
	}
	if err == nil {
		err = json.Unmarshal(raw, &index)
	}
	if err != nil {
		return fmt.Errorf("read bundle of %s: %w", ref, err)
	}
	for _, f := range index.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
			return &coded{exitRefused, fmt.Errorf("bundle of %s: %q is no path within it", ref, f.Path)}
		}
	}
	if err := emptyDir(to); err != nil {
		return err
	}
	err = a.requests().Note(ctx, ref, by, "bundle released")
	if errors.Is(err, intake.ErrWithdrawn) {
		return &coded{exitUsage, err}
	}
	if err != nil {
		return err
	}
	for _, f := range index.Files {
		if err := a.copyOut(ctx, dir+f.Path, filepath.Join(to, filepath.FromSlash(f.Path)), f.SHA256); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(to, "bundle.json"), raw, 0o600); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	if a.flags.json {
		return printJSON(map[string]any{"request": ref.String(), "to": to, "files": len(index.Files) + 1})
	}
	fmt.Printf("bundle of %s written to %s: %s; open index.html there\n", ref, to, plural(int64(len(index.Files))+1, "file", "files"))
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

func (a *app) read(ctx context.Context, key string) ([]byte, error) {
	body, err := a.work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// copyOut writes one file of a bundle. One that is not what was written into the
// bundle is removed again.
func (a *app) copyOut(ctx context.Context, key, name, want string) error {
	body, err := a.work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		return fmt.Errorf("open %s: %w", key, err)
	}
	defer body.Close()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, sum), body)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != want {
		_ = os.Remove(name)
		return &coded{exitRefused, fmt.Errorf("%s is not what was written into the bundle: its digest differs", key)}
	}
	return nil
}
