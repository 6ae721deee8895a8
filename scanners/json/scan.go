// Package json searches JSON documents: the elements of a list at the top are
// records; so is every other document, of which there may be several one after
// another, over any number of lines.
//
// Where an element ends is found by its strings and brackets alone; only elements
// that may hold something wanted are parsed. A record's bytes are those of its
// element. What is neither an element nor space nor a comma in its place makes the
// object CORRUPT, an end inside a list or an element TRUNCATED.
//
// It is no Splitter: whether a bracket is one or stands in a string is known from
// the beginning of the object only, and a guess that is wrong would lose records.
//
// Memory, whatever the object's size: one element (64 MiB, else TOO_LARGE), 256 KiB
// of others, and the leaves of one (1 Mi, else TOO_LARGE). Nesting takes no memory
// until an element is a candidate; one that is nested more than 512 deep then is
// malformed, and what is searched for in it makes its object refused.
package json

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"expunge/scanners"
	"expunge/scanners/lines"
	"expunge/scanners/walk"
)

// Scanner searches JSON documents. The zero value is ready.
type Scanner struct{}

var _ scanners.Scanner = Scanner{}

// Format is "json".
func (Scanner) Format() string { return "json" }

// batch is how many bytes of elements are probed at once.
const batch = 256 << 10

// Scan searches in.Part. A part begins where an element of the whole ended.
func (Scanner) Scan(ctx context.Context, in scanners.Input, f scanners.Finder, emit func(*scanners.Record) error) (stats scanners.Stats, err error) {
	defer scanners.Guard(in.Name, &err)
	src, err := lines.Open(ctx, in)
	if err != nil {
		return stats, lines.Refuse(ctx, in.Name, err)
	}
	defer src.Close()
	s := scan{
		in: in, f: f, search: walk.NewSearch(f), emit: emit, stats: &stats, win: lines.NewWindow(src, in.Part.Off),
		cutter: cutter{middle: in.Part.Off > 0, start: true},
	}
	s.search.Every, s.win.Large = in.Every, in.Large
	for {
		if err := ctx.Err(); err != nil {
			return stats, err
		}
		end := s.win.Fill()
		if end != nil && end != io.EOF {
			if err := s.flush(); err != nil {
				return stats, err
			}
			return stats, lines.Refuse(ctx, in.Name, end)
		}
		cutErr := s.cutter.run(s.win.Data, end == io.EOF)
		if len(s.cutter.spans) > 0 && (end == io.EOF || cutErr != nil || s.cutter.spans[len(s.cutter.spans)-1].end >= batch) {
			if err := s.flush(); err != nil {
				return stats, err
			}
		}
		if cutErr == nil && s.cutter.inside && len(s.win.Data)-s.cutter.begin > lines.MaxLine {
			return stats, scanners.Refuse(scanners.TooLarge, in.Name, fmt.Errorf("read record %d: element is longer than 64 MiB", in.Part.Record+stats.Records))
		}
		if cutErr != nil {
			return stats, scanners.Refuse(scanners.Corrupt, in.Name, fmt.Errorf("read at %d: %w", s.win.Off+int64(s.cutter.at), cutErr))
		}
		if end == io.EOF {
			f.Boundary(s.win.Off+int64(len(s.win.Data)), 0, in.Part.Record+stats.Records)
			last := in.Part.Len == 0 || in.Part.Off+in.Part.Len >= in.Size
			if s.cutter.inside || last && s.cutter.list {
				return stats, scanners.Refuse(scanners.Truncated, in.Name, errors.New("document has no end"))
			}
			return stats, src.Notes(f, emit)
		}
	}
}

type scan struct {
	in     scanners.Input
	f      scanners.Finder
	search *walk.Search
	emit   func(*scanners.Record) error
	stats  *scanners.Stats
	win    *lines.Window
	cutter cutter
	rec    scanners.Record
}

// flush searches the elements that were cut, and drops them from the window.
func (s *scan) flush() error {
	spans := s.cutter.spans
	if len(spans) == 0 {
		return nil
	}
	first, last := spans[0].start, spans[len(spans)-1].end
	s.search.Mark(s.win.Data[first:last], false)
	for _, sp := range spans {
		raw := s.win.Data[sp.start:sp.end]
		candidate, doubt := s.search.Marked(sp.end - first)
		s.rec.Index, s.rec.Raw = s.in.Part.Record+s.stats.Records, raw
		s.rec.Offset, s.rec.Length = s.win.Off+int64(sp.start), int64(len(raw))
		if len(raw) > lines.MaxLine {
			return scanners.Refuse(scanners.TooLarge, s.in.Name, fmt.Errorf("read record %d: element is longer than 64 MiB", s.rec.Index))
		}
		malformed := s.stats.Malformed
		hit, err := s.search.Record(&s.rec, raw, candidate, doubt, s.stats)
		if err != nil {
			return scanners.Refuse(scanners.TooLarge, s.in.Name, fmt.Errorf("read record %d: %w", s.rec.Index, err))
		}
		s.stats.Records++
		if hit {
			if err := s.emit(&s.rec); err != nil {
				return err
			}
		}
		if c := raw[0]; c != '{' && c != '[' && s.stats.Malformed > malformed {
			// Not a scalar: what stands here is garbage, and where it ends is a guess.
			return scanners.Refuse(scanners.Corrupt, s.in.Name, fmt.Errorf("read at %d: %w", s.rec.Offset, walk.ErrSyntax))
		}
	}
	s.f.Boundary(s.win.Off+int64(last), 0, s.in.Part.Record+s.stats.Records)
	s.win.Drop(last)
	s.cutter.drop(last)
	return nil
}

// cutter finds elements. All places are in the window.
type cutter struct {
	spans  []span
	at     int // how far it has looked
	begin  int // of the element that it is inside of
	depth  int
	inside bool // an element
	quoted bool // a string in it
	list   bool // the list at the top
	comma  bool // a comma or the end of the list must come next
	value  bool // a value must come next: a comma was there
	middle bool // the part begins in the middle of the object
	start  bool // nothing was seen yet
}

type span struct{ start, end int }

func (c *cutter) drop(n int) {
	c.spans = c.spans[:0]
	c.at -= n
	c.begin -= n
}

var (
	errComma = errors.New("a comma is out of place")
	errEnd   = errors.New("a bracket closes what is not open")
	errJoint = errors.New("a comma is missing")
)

// run looks through b from where it stopped. At the end a bare scalar is whole.
func (c *cutter) run(b []byte, end bool) error {
	for c.at < len(b) {
		if c.inside {
			if !c.element(b, end) {
				return nil
			}
			continue
		}
		ch := b[c.at]
		if c.start && !c.middle && ch == 0xef {
			if len(b) < 3 && !end {
				return nil
			}
			if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
				c.at, c.start = 3, false
				continue
			}
		}
		if ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' {
			c.at++
			continue
		}
		if c.start && c.middle && (ch == ',' || ch == ']') {
			c.list, c.comma = true, true
		}
		c.start = false
		switch {
		case ch == ',':
			if !c.comma {
				return errComma
			}
			c.comma, c.value = false, true
			c.at++
		case ch == ']':
			if !c.list {
				return errEnd
			}
			if c.value {
				return errComma
			}
			c.list, c.comma = false, false
			c.at++
		case ch == '}' || ch == ':':
			return errEnd
		case c.comma:
			return errJoint
		case ch == '[' && !c.list:
			c.list = true
			c.at++
		default:
			c.inside, c.begin, c.depth, c.quoted, c.value = true, c.at, 0, false, false
		}
	}
	if end && c.inside && c.depth == 0 && !c.quoted && b[c.begin] != '"' {
		c.close(len(b))
	}
	return nil
}

func (c *cutter) close(at int) {
	c.spans = append(c.spans, span{c.begin, at})
	c.at, c.inside, c.comma = at, false, c.list
}

// structural marks the bytes that matter outside of strings.
var structural = [256]bool{'"': true, '{': true, '}': true, '[': true, ']': true}

// breakOf is the offset of the next quote or backslash at or after i, or len(b).
func breakOf(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		p, q := x^'"'*ones, x^'\\'*ones
		if m := ((p-ones)&^p | (q-ones)&^q) & highs; m != 0 {
			// A borrow may mark a byte after a true one, never before it.
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// element goes on inside an element; false: it needs more bytes.
func (c *cutter) element(b []byte, end bool) bool {
	for c.at < len(b) {
		if c.quoted {
			i := breakOf(b, c.at)
			c.at = i
			if i >= len(b) {
				return false
			}
			if b[i] == '\\' {
				if i+1 >= len(b) {
					if end {
						c.at = len(b)
					}
					return false
				}
				c.at = i + 2
				continue
			}
			c.at++
			c.quoted = false
			if c.depth == 0 {
				c.close(c.at)
				return true
			}
			continue
		}
		if c.depth == 0 && c.at > c.begin { // a bare scalar
			switch b[c.at] {
			case ',', ']', '}', ' ', '\t', '\r', '\n', ':', '{', '[', '"':
				c.close(c.at)
				return true
			}
			c.at++
			continue
		}
		i := c.at
		if c.depth > 0 {
			for i < len(b) && !structural[b[i]] {
				i++
			}
			if c.at = i; i >= len(b) {
				return false
			}
		}
		c.at++
		switch b[i] {
		case '"':
			c.quoted = true
		case '{', '[':
			c.depth++
		case '}', ']':
			if c.depth--; c.depth == 0 {
				c.close(c.at)
				return true
			}
		}
	}
	return false
}
