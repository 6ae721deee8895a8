// Package avro searches Avro object container files: any schema, the codecs null,
// deflate, snappy, zstandard and bzip2, plain or gzipped as a whole.
//
// Blocks and records are decoded here, by the schema that the file carries (which
// hamba/avro parses): every length is checked against what is there, both values
// of a map's repeated key are seen, and an end inside a block is an error. A file
// that ends after a whole block is whole: the format says no count of its own. Files
// that are not packed as a whole can be cut between blocks.
//
// # Paths
//
// "." goes into records, "[]" over arrays and "{}" over maps, as in JSON: the value
// of a map under the key "k" lies at "m.k", or at "m{}" where the key is empty or
// longer than 256 bytes, or has dots, brackets, an "@" or more than 6 digits, and no
// field is declared by it. Keys lie at "m{}"; they are searched but are no leaves. A union has no part in a
// path. JSON in a string goes on below the path of the string. A record that is no
// Avro record lies at "value".
//
// # Doc
//
// A JSON object, fields in the order of the schema, that array.RecordBuilder of arrow
// v15 reads back with Schema: int and long as numbers, all digits; float and double
// as numbers, "NaN", "+Inf" and "-Inf" as strings; bytes and fixed as base64; enums
// as their symbol; decimals as strings with all digits of their scale, dates, times
// and timestamps as the integer that they are; durations as "P1M2DT3.004S"; maps as
// lists of {"key","value"}, repeated keys repeated; unions as the value alone.
// Logical types that are not known are as their physical type. Bytes of a string
// that are not UTF-8 become U+FFFD.
//
// What Arrow's types do not cover, a union of several types or a record inside of
// itself, has a union in Schema and is JSON as people write it: dates, times and
// timestamps as "2006-01-02", "15:04:05.999999" and RFC 3339 (without "Z" where they
// are local), maps as objects. A file whose records are of several types is like
// that as a whole, and has no Schema.
//
// # Leaves
//
// As in Doc, but for: dates, times and timestamps as people write them (a time beyond
// the day as a number), whole floats as digits, decimals without trailing zeros,
// bytes as they stand, and a fixed of 16 that is not printable as a UUID. Points in
// time and booleans are searched only where they are declared.
//
// # Raw
//
// The bytes of Doc: independent of codec, blocks and the writer's choices.
//
// # Memory
//
// One block as stored and decompressed (MaxBlock each), its texts up to about 256
// KiB beyond one record, and the leaves of one record.
package avro

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strings"

	"expunge/scanners"
	"expunge/scanners/lines"
	"expunge/scanners/walk"
)

const (
	// MaxBlock bounds a block, as stored and decompressed.
	MaxBlock = 256 << 20
	// MaxDepth bounds the nesting of values.
	MaxDepth = 128

	batch    = 256 << 10 // bytes of text that are probed at once
	maxSpans = 64 << 10  // records that are probed at once
	maxIdle  = 1 << 20   // records of a block that may take no byte at all
)

// Scanner searches object container files. The zero value is ready.
type Scanner struct{}

var _ scanners.Splitter = Scanner{}

// Format is "avro".
func (Scanner) Format() string { return "avro" }

// fault is an error with the code it is to be refused with.
type fault struct {
	code scanners.Code
	msg  string
}

func (f *fault) Error() string { return f.msg }

func fail(code scanners.Code, format string, args ...any) error {
	return &fault{code, fmt.Sprintf(format, args...)}
}

// Scan searches in.Part, which is whole blocks.
func (Scanner) Scan(ctx context.Context, in scanners.Input, f scanners.Finder, emit func(*scanners.Record) error) (stats scanners.Stats, err error) {
	defer scanners.Guard(in.Name, &err)
	var head *file
	if in.Part.Off > 0 {
		if head, err = readHeader(ctx, in); err != nil {
			return stats, refuse(ctx, in.Name, head, err)
		}
	}
	src, err := lines.Open(ctx, in)
	if err != nil {
		return stats, lines.Refuse(ctx, in.Name, err)
	}
	defer src.Close()
	file := newFile(src)
	file.src.off = in.Part.Off
	defer file.close()
	if head != nil {
		file.codec, file.schema, file.sync = head.codec, head.schema, head.sync
	}
	s := &scan{ctx: ctx, in: in, f: f, emit: emit, stats: &stats, file: file}
	if err := s.run(); err != nil {
		return stats, refuse(ctx, in.Name, file, err)
	}
	return stats, src.Notes(f, emit)
}

// emitted is an error of emit, which is passed on as it is.
type emitted struct{ error }

type scan struct {
	ctx   context.Context // of this scan only
	in    scanners.Input
	f     scanners.Finder
	emit  func(*scanners.Record) error
	stats *scanners.Stats
	file  *file
	dec   *decoder
	at    []int
	spans []span // of the records whose texts are in dec.text
	rec   scanners.Record
}

// span is a record whose texts wait to be probed.
type span struct {
	data, text int // where it begins
	candidate  bool
}

func (s *scan) run() error {
	if s.in.Part.Off == 0 {
		if err := s.file.header(); err != nil {
			return err
		}
	}
	s.dec = newDecoder(s.file.schema, s.f)
	if err := s.meta(); err != nil {
		return err
	}
	for told := int64(-1); ; {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		count, data, err := s.file.block()
		if err == io.EOF {
			if end := s.file.end(); end > told {
				s.f.Boundary(end, 0, s.in.Part.Record+s.stats.Records)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.block(count, data); err != nil {
			return err
		}
		told = s.file.end()
		s.f.Boundary(told, 0, s.in.Part.Record+s.stats.Records)
	}
}

// meta searches what the writer put in the header, the schema with its docs and
// defaults among it. It says something of the file, not of one record: a person has
// to look.
func (s *scan) meta() error {
	rec := scanners.Record{Index: -1, Group: -1, Offset: -1, Length: -1, Doc: []byte("{}")}
	for _, kv := range s.file.meta {
		if kv.key == codecKey {
			continue
		}
		name := kv.key
		s.f.Probe(nil, kv.value) // so that a catalog knows of it
		if n := len(rec.Matches); name != "" {
			if rec.Matches = s.f.Find(rec.Matches, "(header){}", []byte(name)); len(rec.Matches) > n {
				name = "?" // paths hold no identifiers
			}
		}
		for _, l := range s.dec.walker.Text(kv.value, "(header)."+name) {
			if l.Kind == walk.Null || kv.key == schemaKey && grammar(l) {
				continue
			}
			value := append([]byte{}, l.Value...)
			if l.Kind != walk.Key {
				rec.Leaves = append(rec.Leaves, scanners.Leaf{Path: l.Path, Value: value})
			}
			rec.Matches = s.f.Find(rec.Matches, l.Path, value)
		}
		rec.Raw = append(append(rec.Raw, kv.key...), 0)
		rec.Raw = append(append(rec.Raw, kv.value...), 0)
	}
	if len(rec.Matches) == 0 {
		return nil
	}
	scanners.Review(rec.Matches, "metadata")
	if err := s.emit(&rec); err != nil {
		return &emitted{err}
	}
	return nil
}

// grammar reports whether a leaf of a schema is a word of it: of names, types and
// symbols it is made, while docs, defaults and what others add may say anything.
func grammar(l walk.Leaf) bool {
	if l.Kind == walk.Key {
		return true
	}
	switch l.Path[strings.LastIndexByte(l.Path, '.')+1:] {
	case "name", "namespace", "type", "type[]", "symbols[]", "aliases[]", "items", "items[]", "values", "values[]", "logicalType", "order", "size", "precision", "scale", "avro.schema":
		return true
	}
	return false
}

// block searches the records of one block.
func (s *scan) block(count int64, data []byte) error {
	if count > int64(len(data)) && count > maxIdle {
		return fail(scanners.Corrupt, "read block at record %d: more records than bytes", s.stats.Records)
	}
	d := s.dec
	d.data, d.at = data, 0
	for range count {
		if len(s.spans)%1024 == 0 {
			if err := s.ctx.Err(); err != nil {
				return err
			}
		}
		sp := span{data: d.at, text: len(d.text)}
		d.begin(false)
		if err := d.record(); err != nil {
			// What stands before the damage is searched, and stands.
			if err := s.flush(); err != nil {
				return err
			}
			return s.wrap(err)
		}
		sp.candidate = d.candidate
		s.spans = append(s.spans, sp)
		if len(d.text) >= batch || len(s.spans) >= maxSpans {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	if err := s.flush(); err != nil {
		return err
	}
	if d.at != len(data) {
		return fail(scanners.Corrupt, "read block that ends at record %d: %d bytes are left over", s.stats.Records, len(data)-d.at)
	}
	return nil
}

func (s *scan) wrap(err error) error {
	return fmt.Errorf("read record %d: %w", s.in.Part.Record+s.stats.Records, err)
}

// flush probes the texts at hand and emits the records that match.
func (s *scan) flush() error {
	d, next := s.dec, s.dec.at
	if len(s.spans) == 0 {
		d.text = d.text[:0]
		return nil
	}
	s.at = s.f.Probe(s.at[:0], d.text[:len(d.text):len(d.text)])
	for _, off := range s.at {
		i := sort.Search(len(s.spans), func(k int) bool { return s.spans[k].text > off }) - 1
		s.spans[max(i, 0)].candidate = true
		// The NUL before a text counts as the text's, too; records without text share a place.
		for i++; i < len(s.spans) && s.spans[i].text <= off+1; i++ {
			s.spans[i].candidate = true
		}
	}
	for _, sp := range s.spans {
		if sp.candidate || s.in.Every {
			if err := s.record(sp); err != nil {
				return err
			}
		}
		s.stats.Records++
	}
	s.spans, d.text, d.at = s.spans[:0], d.text[:0], next
	return nil
}

// record decodes a candidate with all that it holds.
func (s *scan) record(sp span) error {
	d := s.dec
	d.at = sp.data
	d.begin(true)
	if err := d.record(); err != nil {
		return s.wrap(err)
	}
	rec := &s.rec
	*rec = scanners.Record{
		Index: s.in.Part.Record + s.stats.Records, Group: -1, Offset: -1, Length: -1, Raw: d.doc, Doc: d.doc, Schema: d.schema,
		Leaves: rec.Leaves[:0], Matches: rec.Matches[:0],
	}
	for _, l := range d.leaves {
		if l.searched && l.value != nil {
			rec.Matches = s.f.Find(rec.Matches, l.path, l.value)
		}
		if !l.key {
			rec.Leaves = append(rec.Leaves, scanners.Leaf{Path: l.path, Value: l.value})
		}
	}
	if len(rec.Matches) == 0 && !s.in.Every {
		return nil
	}
	if err := s.emit(rec); err != nil {
		return &emitted{err}
	}
	return nil
}
