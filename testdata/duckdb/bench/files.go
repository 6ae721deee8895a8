package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"
)

// format is one way the same records are stored.
type format struct {
	name   string // in tables and on the command line
	folder string // below the bench's folder
	ext    string
}

var formats = []format{
	{"jsonl", "jsonl", ".jsonl"},
	{"jsonl.gz", "jsonlgz", ".jsonl.gz"},
	{"csv", "csv", ".csv"},
	{"parquet", "parquet", ".parquet"},
}

func formatOf(name string) (format, bool) {
	for _, f := range formats {
		if f.name == name {
			return f, true
		}
	}
	return format{}, false
}

// part says which records a lake holds.
type part struct {
	dir       string
	bytes     int64 // of JSON lines
	files     int
	consumers int
	every     int // one record in so many is a consumer's
}

// records is how many records make p.bytes, a multiple of p.files.
func (p part) records() int {
	c := calls{consumers: p.consumers, every: p.every}
	size := 0
	for n := range 1000 {
		c.record(n)
		size += len(c.appendJSON(nil))
	}
	return max(1, int(p.bytes*1000/int64(size))/p.files) * p.files
}

// truth are the ids of the consumers' records, in the order of the lake.
func (p part) truth() []string {
	c := calls{consumers: p.consumers, every: p.every}
	var ids []string
	for n := range p.records() {
		if c.owner(n) >= 0 {
			ids = append(ids, c.id(n))
		}
	}
	return ids
}

func (p part) path(f format, i int) string {
	return filepath.Join(p.dir, f.folder, fmt.Sprintf("calls-%02d%s", i, f.ext))
}

// write writes the files of a format that is not Parquet.
func (p part) write(f format, workers int) error {
	if err := os.MkdirAll(filepath.Join(p.dir, f.folder), 0o755); err != nil {
		return err
	}
	per := p.records() / p.files
	g := new(errgroup.Group)
	g.SetLimit(workers)
	for i := range p.files {
		g.Go(func() error { return p.file(f, p.path(f, i), i*per, per) })
	}
	return g.Wait()
}

// file writes one file of n records from first on.
func (p part) file(f format, path string, first, n int) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := out.Close(); err == nil {
			err = e
		}
	}()
	var w io.Writer = out
	if f.ext == ".jsonl.gz" {
		z, err := gzip.NewWriterLevel(out, 5)
		if err != nil {
			return err
		}
		defer func() {
			if e := z.Close(); err == nil {
				err = e
			}
		}()
		w = z
	}
	b := bufio.NewWriterSize(w, 256<<10)
	c := calls{consumers: p.consumers, every: p.every}
	var line []byte
	if f.ext == ".csv" {
		names := make([]string, len(columns))
		for i, col := range columns {
			names[i] = col.name
		}
		line = append(line, strings.Join(names, ",")+"\n"...)
	}
	for k := range n {
		c.record(first + k)
		if f.ext == ".csv" {
			line = c.appendCSV(line)
		} else {
			line = c.appendJSON(line)
		}
		if _, err := b.Write(line); err != nil {
			return err
		}
		line = line[:0]
	}
	return b.Flush()
}

// size is how many bytes a format's files have.
func (p part) size(f format) (n int64, err error) {
	for i := range p.files {
		info, err := os.Stat(p.path(f, i))
		if err != nil {
			return 0, err
		}
		n += info.Size()
	}
	return n, nil
}
