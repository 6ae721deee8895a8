package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/spf13/cobra"

	"expunge/connectors"
	"expunge/pipeline/manifest"
	"expunge/pipeline/spool"
)

func inspectCommand(f *flags) *cobra.Command {
	var why bool
	c := &cobra.Command{
		Use:   "inspect PATH",
		Short: "A bundle, manifest, certificate or run of the work store, in readable form",
		Long:  "PATH is below the work store: a run's id, runs/RUN/manifest, bundles/ACCOUNT/REQUEST, or any file there.",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			a, err := open(ctx, f)
			if err != nil {
				return err
			}
			keys, err := resolve(args[0])
			if err != nil {
				return err
			}
			for _, key := range keys {
				body, err := a.work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
				if errors.Is(err, connectors.ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				defer body.Close()
				if path.Ext(key) == ".parquet" {
					return printTombstones(body, why)
				}
				_, err = io.Copy(os.Stdout, body)
				if err != nil || !why || !strings.HasSuffix(key, "manifest.json") {
					return err
				}
				m, err := manifest.Read(ctx, a.work, a.keys, strings.Split(key, "/")[1])
				if err != nil {
					return err
				}
				for _, file := range m.Files {
					rows, err := a.work.Open(ctx, connectors.Ref{Key: path.Dir(key) + "/" + file.Path}, connectors.All)
					if err != nil {
						return err
					}
					err = printTombstones(rows, why)
					rows.Close()
					if err != nil {
						return err
					}
				}
				return nil
			}
			return usage("nothing at %q in the work store", args[0])
		},
	}
	c.Flags().BoolVar(&why, "why", false, "show the chain of evidence of each record")
	return c
}

// resolve says which files a path may mean, in the order to try them.
func resolve(p string) ([]string, error) {
	p = strings.Trim(p, "/")
	if p == "" || strings.Contains(p, "..") {
		return nil, usage("%q is no path below the work store", p)
	}
	return []string{p, p + "/manifest.json", p + "/bundle.json", p + "/report.json", "runs/" + p + "/report.json", "runs/" + p + "/run.json"}, nil
}

// printTombstones shows a table of tombstones or of review hits.
func printTombstones(r io.Reader, why bool) error {
	f, err := spool.Temp()
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := io.Copy(f, r)
	if err != nil {
		return err
	}
	file, err := parquet.OpenFile(f, size)
	if err != nil {
		return fmt.Errorf("read table: %w", err)
	}
	rows := parquet.NewGenericReader[manifest.Row](file)
	defer rows.Close()
	buf := make([]manifest.Row, 100)
	for {
		n, err := rows.Read(buf)
		for _, t := range buf[:n] {
			record := "whole"
			if t.Record != nil {
				record = fmt.Sprintf("record %d", *t.Record)
			}
			fmt.Printf("%-24s %-12s %-11s %s %s %s\n", t.Request, t.Action, t.Tier, t.Disposition, t.Object, record)
			if why {
				fmt.Printf("    %s\n", t.Why)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read table: %w", err)
		}
	}
}
