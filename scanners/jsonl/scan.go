// Package jsonl searches files of one JSON object a line.
//
// Every line is checked for its frame: "{" at its beginning and "}" at its end.
// Only lines that may hold something wanted are parsed. A line that is JSON but no
// object is a record, too; its document is {"value": …} and its paths begin with
// "value". Blank lines are no records. A line that is no JSON is malformed: where
// it is a candidate it is searched as it stands, and what can be read of it.
//
// A record's bytes are its line without "\n" or "\r\n"; a byte order mark at the
// beginning of the object belongs to no record.
//
// Memory: one line (64 MiB) and its leaves.
package jsonl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"expunge/scanners"
	"expunge/scanners/lines"
	"expunge/scanners/walk"
)

// Scanner searches JSON lines. The zero value is ready.
type Scanner struct{}

var _ scanners.Splitter = Scanner{}

// Format is "jsonl".
func (Scanner) Format() string { return "jsonl" }

// Split cuts objects that are not compressed at line ends.
func (Scanner) Split(ctx context.Context, in scanners.Input, target int64) ([]scanners.Part, error) {
	packed, err := lines.Compressed(ctx, in)
	if err != nil {
		return nil, lines.Refuse(ctx, in.Name, err)
	}
	if packed {
		return nil, nil
	}
	parts, err := lines.Split(ctx, in, target)
	if err != nil {
		return nil, lines.Refuse(ctx, in.Name, err)
	}
	return parts, nil
}

// Scan searches in.Part.
func (Scanner) Scan(ctx context.Context, in scanners.Input, f scanners.Finder, emit func(*scanners.Record) error) (stats scanners.Stats, err error) {
	defer scanners.Guard(in.Name, &err)
	src, err := lines.Open(ctx, in)
	if err != nil {
		return stats, lines.Refuse(ctx, in.Name, err)
	}
	defer src.Close()
	s := scan{in: in, search: walk.NewSearch(f), emit: emit, stats: &stats}
	s.search.Every = in.Every
	r := lines.New(src, in.Part.Off)
	r.Large = in.Large
	for ended := false; ; {
		if err := ctx.Err(); err != nil {
			return stats, err
		}
		block, err := r.Next()
		if err == io.EOF {
			if !ended { // an empty part ends, too
				f.Boundary(in.Part.Off, 0, in.Part.Record)
			}
			return stats, src.Notes(f, emit)
		}
		if err != nil {
			return stats, lines.Refuse(ctx, in.Name, err)
		}
		if err := s.block(block); err != nil {
			return stats, err
		}
		ended = true
		f.Boundary(block.Off+int64(len(block.Data)), 0, in.Part.Record+stats.Records)
	}
}

type scan struct {
	in     scanners.Input
	search *walk.Search
	emit   func(*scanners.Record) error
	stats  *scanners.Stats
	rec    scanners.Record
}

var bom = []byte("\xef\xbb\xbf")

func (s *scan) block(b lines.Block) error {
	if b.Off == 0 && bytes.HasPrefix(b.Data, bom) {
		b.Data, b.Off = b.Data[len(bom):], int64(len(bom))
	}
	s.search.Mark(b.Data, true)
	for start := 0; start < len(b.Data); {
		end, next := len(b.Data), len(b.Data)
		if n := bytes.IndexByte(b.Data[start:], '\n'); n >= 0 {
			end = start + n
			next = end + 1
		}
		candidate, doubt := s.search.Marked(next)
		line := b.Data[start:end]
		off := b.Off + int64(start)
		start = next
		if n := len(line); n > 1 && line[0] == '{' && line[n-1] == '}' && !candidate && !doubt && !s.in.Every {
			s.stats.Records++
			continue
		}
		body := walk.Trim(line)
		if len(body) == 0 {
			continue
		}
		if line[len(line)-1] == '\r' {
			line = line[:len(line)-1]
		}
		s.rec.Index, s.rec.Offset, s.rec.Length, s.rec.Raw = s.in.Part.Record+s.stats.Records, off, int64(len(line)), line
		s.stats.Records++
		hit, err := s.search.Record(&s.rec, body, candidate, doubt, s.stats)
		if errors.Is(err, walk.ErrMany) {
			return scanners.Refuse(scanners.TooLarge, s.in.Name, fmt.Errorf("read record %d: %w", s.rec.Index, err))
		}
		if hit {
			if err := s.emit(&s.rec); err != nil {
				return err
			}
		}
	}
	return nil
}
