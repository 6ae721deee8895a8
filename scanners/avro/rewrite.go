package avro

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"expunge/scanners"
	"expunge/scanners/lines"
)

var _ scanners.Rewriter = Scanner{}

// Rewrite copies in without the records that go, or with values emptied. Header
// and blocks without an edit stay byte for byte; of others the records without an
// edit do, and the block is packed anew with the same codec (bzip2 is read only:
// UNSUPPORTED) and sync marker. A block of which no record is left goes.
//
// An emptied value is null where its union has null. Else it is "", no bytes, 0,
// false, the enum's default or else its first symbol, the zero of a decimal or of a
// duration, a UUID of zeros, and a fixed of zeros. JSON in strings and bytes keeps
// its form, with nulls for its values; in a fixed it goes as a whole. Maps keep
// their keys, unless Edit.Spans says otherwise, and arrays their length.
func (Scanner) Rewrite(ctx context.Context, in scanners.Input, edits []scanners.Edit, spool io.Writer, check func(*scanners.Record) error) (out scanners.Rewritten, err error) {
	defer scanners.Guard(in.Name, &err)
	src, err := lines.OpenCopy(ctx, in, edits, spool)
	if err != nil {
		return out, lines.CopyError(ctx, in.Name, err)
	}
	defer src.Close()
	held := &held{src: src}
	file := newFile(held)
	defer file.close()
	w := &rewriting{ctx: ctx, src: src, held: held, file: file, check: check}
	if err = w.run(); err == nil {
		out, err = src.Done(w.records)
	}
	var own *fault
	var done *emitted
	switch {
	case err == nil:
		return out, nil
	case errors.As(err, &done):
		return scanners.Rewritten{}, done.error
	case ctx.Err() != nil:
		return scanners.Rewritten{}, ctx.Err()
	case file.src.err != nil:
		return scanners.Rewritten{}, lines.CopyError(ctx, in.Name, file.src.err)
	case errors.As(err, &own):
		return scanners.Rewritten{}, scanners.Refuse(own.code, in.Name, err)
	}
	return scanners.Rewritten{}, lines.CopyError(ctx, in.Name, err)
}

// held keeps the bytes that were read until it is told what becomes of them.
type held struct {
	src  *lines.Copy
	data []byte
	off  int64 // of data
}

func (h *held) Next() ([]byte, error) {
	b, err := h.src.Next()
	h.data = append(h.data, b...)
	return b, err
}

func (h *held) keep(end int64) error {
	n := end - h.off
	err := h.src.Keep(h.data[:n])
	h.forget(n)
	return err
}

func (h *held) forget(n int64) {
	h.data = append(h.data[:0], h.data[n:]...)
	h.off += n
}

type rewriting struct {
	ctx     context.Context // of this rewrite only
	src     *lines.Copy
	held    *held
	file    *file
	check   func(*scanners.Record) error
	records int64

	dec    *decoder
	edit   editor
	rec    scanners.Record
	gone   []scanners.Leaf // of the block's edited records
	data   []byte          // the block's new content
	packed []byte
	zstd   *zstd.Encoder
	flate  *flate.Writer
}

func (w *rewriting) run() error {
	if err := w.file.header(); err != nil {
		return err
	}
	w.dec = newDecoder(w.file.schema, scanners.Nothing{})
	w.edit.dec = w.dec
	if err := w.held.keep(w.file.end()); err != nil {
		return &emitted{err}
	}
	for {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		count, data, err := w.file.block()
		if err == io.EOF {
			if err := w.held.keep(w.file.end()); err != nil {
				return &emitted{err}
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.block(count, data); err != nil {
			return err
		}
	}
}

// block goes over the records of one block, and tells what becomes of it.
func (w *rewriting) block(count int64, data []byte) error {
	if count > int64(len(data)) && count > maxIdle {
		return fail(scanners.Corrupt, "read block at record %d: more records than bytes", w.records)
	}
	d := w.dec
	d.data, d.at = data, 0
	w.data, w.gone = w.data[:0], w.gone[:0]
	left, kept, edited := count, 0, false // what is before kept is in w.data
	for i := range count {
		if i%1024 == 0 {
			if err := w.ctx.Err(); err != nil {
				return err
			}
		}
		e, start := w.src.Edits.At(w.records), d.at
		d.begin(e != nil)
		d.text = d.text[:0]
		if err := d.record(); err != nil {
			return fmt.Errorf("read record %d: %w", w.records, err)
		}
		if e != nil {
			edited = true
			if err := w.show(); err != nil {
				return err
			}
			w.data = append(w.data, data[kept:start]...)
			kept = d.at
			if e.Redact {
				d.at = start
				var err error
				if w.data, err = w.edit.record(w.data, e); err != nil {
					return err
				}
			} else {
				left--
			}
		}
		w.records++
	}
	if d.at != len(data) {
		return fail(scanners.Corrupt, "read block that ends at record %d: %d bytes are left over", w.records, len(data)-d.at)
	}
	if !edited {
		if err := w.held.keep(w.file.end()); err != nil {
			return &emitted{err}
		}
		return nil
	}
	w.data = append(w.data, data[kept:]...)
	return w.replace(left)
}

// show shows the record that was decoded.
func (w *rewriting) show() error {
	d := w.dec
	w.rec = scanners.Record{Index: w.records, Group: -1, Offset: -1, Length: -1, Raw: d.doc, Doc: d.doc, Schema: d.schema, Leaves: w.rec.Leaves[:0]}
	for _, l := range d.leaves {
		if !l.key {
			w.rec.Leaves = append(w.rec.Leaves, scanners.Leaf{Path: l.path, Value: l.value})
		}
		w.gone = append(w.gone, scanners.Leaf{Path: l.path, Value: l.value})
	}
	if err := w.check(&w.rec); err != nil {
		return &emitted{err}
	}
	return nil
}

// replace puts a block of w.data in the place of the one that was read.
func (w *rewriting) replace(count int64) error {
	end := w.file.end()
	n := end - w.held.off
	if err := w.src.Drop(n, w.gone); err != nil {
		return &emitted{err}
	}
	w.held.forget(n)
	if count > 0 {
		packed, err := w.pack()
		if err != nil {
			return err
		}
		head := binary.AppendVarint(binary.AppendVarint(nil, count), int64(len(packed)))
		for _, b := range [][]byte{head, packed, w.file.sync[:]} {
			if _, err := w.src.Write(b); err != nil {
				return &emitted{err}
			}
		}
	}
	if !w.src.Edits.Left() {
		w.src.Settled()
	}
	return nil
}

// pack packs w.data as the file's blocks are.
func (w *rewriting) pack() ([]byte, error) {
	switch w.file.codec {
	case "deflate":
		out := sink{w.packed[:0]}
		if w.flate == nil {
			var err error
			if w.flate, err = flate.NewWriter(&out, flate.DefaultCompression); err != nil {
				return nil, err
			}
		} else {
			w.flate.Reset(&out)
		}
		if _, err := w.flate.Write(w.data); err != nil {
			return nil, err
		}
		if err := w.flate.Close(); err != nil {
			return nil, err
		}
		w.packed = out.b
	case "snappy":
		w.packed = slices.Grow(w.packed[:0], max(snappy.MaxEncodedLen(len(w.data)), 0)+4)
		w.packed = snappy.Encode(w.packed[:cap(w.packed)], w.data)
		w.packed = binary.BigEndian.AppendUint32(w.packed, crc32.ChecksumIEEE(w.data))
	case "zstandard":
		if w.zstd == nil {
			var head zstd.Header
			_ = head.Decode(w.file.stored.Bytes()) // it was read before
			var err error
			if w.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(head.HasCheckSum), zstd.WithZeroFrames(true)); err != nil {
				return nil, err
			}
		}
		w.packed = w.zstd.EncodeAll(w.data, w.packed[:0])
	case "bzip2":
		return nil, fail(scanners.Unsupported, "rewrite block before record %d: bzip2 can be read, but not be written; use the action erase_object", w.records)
	default:
		return w.data, nil
	}
	return w.packed, nil
}

// sink is a writer to memory.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}
