// Command genlake writes an invented lake, the requests to run on it, a config for
// it and the truth about it.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/dustin/go-humanize"
	"golang.org/x/sync/errgroup"

	"expunge/testdata/lake"
)

func main() {
	seed := flag.Uint64("seed", 1, "what the lake is made from")
	size := flag.String("size", "1MB", "about the stored size: 1MB, 10GB")
	accounts := flag.Int("accounts", 3, "number of accounts")
	consumers := flag.Int("consumers", 0, "consumers of an account who asked for nothing (0: by size)")
	requests := flag.Int("requests", 12, "number of consumers who asked")
	out := flag.String("out", "", "directory to write lake/, requests.jsonl, truth.jsonl and config.yaml in")
	flag.Parse()
	if err := run(*seed, *size, *accounts, *consumers, *requests, *out); err != nil {
		fmt.Fprintln(os.Stderr, "genlake:", err)
		os.Exit(1)
	}
}

func run(seed uint64, size string, accounts, consumers, requests int, out string) error {
	bytes, err := humanize.ParseBytes(size)
	if err != nil || out == "" {
		return fmt.Errorf("give -out DIR and -size like 1MB")
	}
	l, err := lake.Generate(lake.Options{Seed: seed, Bytes: int64(bytes), Accounts: accounts, Consumers: consumers, Requests: requests})
	if err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	g := new(errgroup.Group)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for f := range l.Files() {
		g.Go(func() error { return writeFile(filepath.Join(out, "lake", filepath.FromSlash(f.Key)), f.Write) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(out, "requests.jsonl"), func(w io.Writer) error {
		e := json.NewEncoder(w)
		for _, r := range l.Requests() {
			if err := e.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(out, "truth.jsonl"), func(w io.Writer) error {
		e := json.NewEncoder(w)
		for t := range l.Truth() {
			if err := e.Encode(t); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return writeFile(filepath.Join(out, "config.yaml"), func(w io.Writer) error {
		_, err := io.Copy(w, strings.NewReader(l.Config(filepath.Join(out, "lake"), filepath.Join(out, "work"))))
		return err
	})
}

func writeFile(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	bw := bufio.NewWriterSize(f, 256<<10)
	if err := write(bw); err != nil {
		f.Close()
		return err
	}
	if err := bw.Flush(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
