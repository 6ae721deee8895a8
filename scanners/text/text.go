// Package text scans plain text: transcripts, captions, logs. A record is a line;
// blank lines are none. The object may be plain or compressed.
//
// A line is searched as it stands. Text in UTF-16 or UTF-32 would hide everything
// from a search by bytes, so it is refused.
package text

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"expunge/scanners"
	"expunge/scanners/compress"
	"expunge/scanners/lines"
)

// Path is the path of a line's only leaf.
const Path = "line"

// Scanner scans text. Memory: one block or line (lines.MaxLine, beyond which an
// object is TOO_LARGE) twice, and what compress holds.
type Scanner struct{}

// Format is "text".
func (Scanner) Format() string { return "text" }

// Split cuts an object that is not compressed at line ends.
func (Scanner) Split(ctx context.Context, in scanners.Input, target int64) ([]scanners.Part, error) {
	head, err := readHead(ctx, in)
	if err != nil {
		return nil, compress.Refuse(ctx, in.Name, err)
	}
	if compress.Detect(head) != compress.Plain || wide(head) {
		return nil, nil
	}
	parts, err := lines.Split(ctx, in, target)
	switch {
	case errors.Is(err, lines.ErrTooLong):
		return nil, nil // the scan will say so
	case err != nil:
		return nil, compress.Refuse(ctx, in.Name, &compress.ReadError{Err: err})
	}
	return parts, nil
}

func readHead(ctx context.Context, in scanners.Input) ([]byte, error) {
	n := min(in.Size, headSize)
	body, err := in.Open(ctx, 0, n)
	if err != nil {
		return nil, &compress.ReadError{Err: err}
	}
	defer body.Close()
	head := make([]byte, n)
	if _, err := io.ReadFull(body, head); err != nil {
		return nil, &compress.ReadError{Err: err}
	}
	return head, nil
}

// headSize is how much of an object wide looks at.
const headSize = 4 << 10

// errWide refuses what a search by bytes cannot see.
var errWide = errors.New("text is UTF-16 or UTF-32, which a search by bytes does not see; convert it to UTF-8, or ignore the object")

// wide reports whether text that begins with head has two or four bytes a
// character: by its byte order mark, or by a quarter of NULs.
func wide(head []byte) bool {
	head = head[:min(len(head), headSize)]
	return bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) ||
		len(head) > 0 && 4*bytes.Count(head, []byte{0}) >= len(head)
}

// Scan implements scanners.Scanner.
func (Scanner) Scan(ctx context.Context, in scanners.Input, f scanners.Finder, emit func(*scanners.Record) error) (stats scanners.Stats, err error) {
	defer scanners.Guard(in.Name, &err)
	n := in.Part.Len
	if in.Part.Whole() {
		n = in.Size
	}
	body, err := in.Open(ctx, in.Part.Off, n)
	if err != nil {
		return stats, compress.Refuse(ctx, in.Name, &compress.ReadError{Err: err})
	}
	defer body.Close()
	exact := compress.Exactly(body, n)
	stream, codec := compress.OpenPlain(exact), compress.Plain // a part lies in a plain object
	if in.Part.Whole() {
		if stream, codec, err = compress.Open(exact); err != nil {
			return stats, compress.Refuse(ctx, in.Name, err)
		}
	}
	defer stream.Close()

	s := scan{f: f, emit: emit, every: in.Every, record: in.Part.Record, field: slices.Index(f.Fields(), Path)}
	s.cues.inside = in.Part.Off > 0 // as far as is known: what is said must not be missed
	src := lines.New(stream, in.Part.Off)
	src.Large = in.Large
	end := in.Part.Off
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return s.stats, err
		}
		b, err := src.Next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, lines.ErrTooLong) {
			return s.stats, scanners.Refuse(scanners.TooLarge, in.Name, fmt.Errorf("line %d: %w", s.record, err))
		}
		if err != nil {
			return s.stats, compress.Refuse(ctx, in.Name, err)
		}
		if first && in.Part.Off == 0 && wide(b.Data) {
			return s.stats, scanners.Refuse(scanners.Unsupported, in.Name, errWide)
		}
		if first {
			s.cues.begin(b.Data)
		}
		if err := s.block(b); err != nil {
			return s.stats, err
		}
		if codec == compress.Plain {
			end = b.Off + int64(len(b.Data))
			f.Boundary(end, -1, s.record)
		}
	}
	if codec != compress.Plain || end == in.Part.Off {
		// Nobody can begin inside a compressed object: its only boundary is its end.
		f.Boundary(in.Part.Off+n, -1, s.record)
	}
	return s.stats, compress.Notes(stream, f, emit)
}

// scan is one scan on its way.
type scan struct {
	f      scanners.Finder
	emit   func(*scanners.Record) error
	every  bool
	field  int // of the finder's fields: the line itself; -1: not asked for
	record int64
	stats  scanners.Stats
	at     []int
	found  []scanners.Match
	doc    bytes.Buffer
	cues   cues
}

// block probes whole lines at once and decodes those around the places reported.
func (s *scan) block(b lines.Block) error {
	s.at = s.f.Probe(s.at[:0], b.Data)
	at := s.at
	for start := 0; start < len(b.Data); {
		end := len(b.Data)
		if i := bytes.IndexByte(b.Data[start:], '\n'); i >= 0 {
			end = start + i + 1
		}
		candidate := s.every
		for len(at) > 0 && at[0] < end {
			candidate, at = true, at[1:]
		}
		if line := trimEnd(b.Data[start:end]); blank(line) {
			s.cues.blank()
		} else {
			aside := s.every && s.cues.aside(line)
			if s.field >= 0 && s.f.ProbeField(s.field, text(line, b.Off+int64(start))) {
				candidate = true
			}
			if candidate {
				if err := s.line(line, b.Off+int64(start), aside); err != nil {
					return err
				}
			}
			s.record++
			s.stats.Records++
		}
		start = end
	}
	return nil
}

// line searches one line and emits it if it holds a match.
func (s *scan) line(raw []byte, off int64, aside bool) error {
	value := text(raw, off)
	s.found = s.f.Find(s.found[:0], Path, value)
	if len(s.found) == 0 && !s.every {
		return nil
	}
	s.doc.Reset()
	enc := json.NewEncoder(&s.doc) // writes U+FFFD for what is no UTF-8
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]string{Path: string(value)}); err != nil {
		return err
	}
	return s.emit(&scanners.Record{
		Index: s.record, Group: -1, Offset: off, Length: int64(len(raw)), Raw: raw,
		Doc:    bytes.TrimSuffix(s.doc.Bytes(), []byte("\n")),
		Leaves: []scanners.Leaf{{Path: Path, Value: value}}, Matches: s.found, Aside: aside,
	})
}

// text is a line without the byte order mark that an object may begin with.
func text(line []byte, off int64) []byte {
	if off == 0 {
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	return line
}

// trimEnd cuts a line's end: "\n" or "\r\n".
func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

// blank reports whether a line holds nothing but blanks.
func blank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}
