// Package media scans objects that have no records: recordings, pictures, any
// file. The object is the record. What its metadata says is searched: INFO, bext
// and iXML chunks of WAV, ID3 tags, Vorbis comments of Ogg and FLAC, iTunes' lists,
// user data and XMP of MP4, M4A, 3GP and QuickTime. Sound, pictures and video are
// never read, and nothing is asked of what they hold. Containers that are not known
// have no metadata as far as this package goes, nor have pictures. Text, tables and
// whatever else another scanner reads is refused.
package media

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"expunge/scanners"
	"expunge/scanners/compress"
)

// Scanner scans whole objects. Memory: MaxMetadata, a few times over.
type Scanner struct{}

// Bounds of what is read of an object. Metadata beyond them is refused as
// TOO_LARGE: it was not searched.
const (
	MaxMetadata = 4 << 20 // bytes read
	maxChunks   = 4096    // chunks, blocks, pages or frames of one object
)

// Format is "media".
func (Scanner) Format() string { return "media" }

// Scan emits the object as its one record, Index -1, if its metadata holds a match.
func (Scanner) Scan(ctx context.Context, in scanners.Input, f scanners.Finder, emit func(*scanners.Record) error) (stats scanners.Stats, err error) {
	defer scanners.Guard(in.Name, &err)
	if err := ctx.Err(); err != nil {
		return stats, err
	}
	t := &tags{r: &ranges{ctx: ctx, in: in}}
	err = t.object()
	if errors.Is(err, errMalformed) {
		// Players are forgiving, and so are we: what was read until here is searched.
		stats.Malformed, err = 1, nil
	}
	if err != nil {
		if errors.Is(err, errTooLarge) {
			return stats, scanners.Refuse(scanners.TooLarge, in.Name, err)
		}
		return stats, compress.Refuse(ctx, in.Name, err)
	}
	stats.Records = 1
	r := scanners.Record{Index: -1, Group: -1, Offset: -1, Length: -1, Leaves: t.leaves}
	if in.Every || candidate(f, t.leaves) {
		for _, leaf := range t.leaves {
			r.Matches = f.Find(r.Matches, leaf.Path, leaf.Value)
		}
	}
	if in.Every || len(r.Matches) > 0 {
		if r.Doc, err = document(t.leaves); err != nil {
			return stats, err
		}
		r.Raw = r.Doc
		if err := emit(&r); err != nil {
			return stats, err
		}
	}
	f.Boundary(in.Size, -1, in.Part.Record+1)
	return stats, nil
}

// candidate shows all leaves to the finder.
func candidate(f scanners.Finder, leaves []scanners.Leaf) bool {
	var raw []byte
	for _, leaf := range leaves {
		raw = append(append(raw, leaf.Value...), 0)
	}
	found := len(raw) > 0 && len(f.Probe(nil, raw)) > 0
	for i, path := range f.Fields() {
		for _, leaf := range leaves {
			if leaf.Path == path && f.ProbeField(i, leaf.Value) {
				found = true
			}
		}
	}
	return found
}

// document writes {"metadata": {path: value}}; a path that comes more than once
// has a list of values.
func document(leaves []scanners.Leaf) ([]byte, error) {
	var paths []string
	values := map[string][]string{}
	for _, leaf := range leaves {
		if values[leaf.Path] == nil {
			paths = append(paths, leaf.Path)
		}
		values[leaf.Path] = append(values[leaf.Path], string(leaf.Value))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	put := func(v any) error {
		err := enc.Encode(v)
		b.Truncate(max(b.Len()-1, 0)) // the encoder's line end
		return err
	}
	b.WriteString(`{"metadata":{`)
	for i, path := range paths {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := put(path); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		var v any = values[path]
		if len(values[path]) == 1 {
			v = values[path][0]
		}
		if err := put(v); err != nil {
			return nil, err
		}
	}
	b.WriteString("}}")
	return b.Bytes(), nil
}

var (
	errMalformed = errors.New("metadata is malformed")
	errTooLarge  = fmt.Errorf("metadata is beyond %d MiB or %d chunks", MaxMetadata>>20, maxChunks)
)
