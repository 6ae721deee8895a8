package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/bundle"
	"expunge/pipeline/closure"
	"expunge/pipeline/identity"
	"expunge/pipeline/record"
	"expunge/pipeline/results"
	"expunge/pipeline/spool"
	"expunge/scanners"
)

// own says which direct identifiers are known as a consumer's beside what was asked for,
// or as the account's own.
func (a *app) own(known []closure.Beside) func(ref pipeline.RequestRef, direct pipeline.Link) bool {
	same := func(ref pipeline.RequestRef, direct pipeline.Link) closure.Beside {
		if direct.Kind == pipeline.Email {
			direct.Value = identity.Mailbox(direct.Value)
		}
		return closure.Beside{Request: ref, Direct: direct}
	}
	beside, business := map[closure.Beside]bool{}, a.business()
	for _, b := range known {
		beside[same(b.Request, b.Direct)] = true
	}
	return func(ref pipeline.RequestRef, direct pipeline.Link) bool {
		return beside[same(ref, direct)] || business(ref.Account, direct)
	}
}

// openOwn opens a whole object for the bundle of a request. Where it is the consumer's
// since its key names the consumer, records of others in it are left out, and counted: as
// an erasure would leave them.
func (j *job) openOwn(ctx context.Context, row bundle.Row, hits *results.Merged) (io.ReadCloser, int64, error) {
	o, d := row.Found.At, &j.cfg.Datasets[row.Found.At.Dataset]
	store := j.stores[o.Store]
	plain := func() (io.ReadCloser, int64, error) {
		body, err := store.Open(ctx, o.Ref, connectors.All)
		return body, 0, err
	}
	if row.Found.Whole(d) {
		return plain()
	}
	ref, own := row.Found.Request, j.own(j.closure.Beside())
	others := record.NewOthers(d, j.cfg.Policy.DefaultRegion, func(l pipeline.Link) bool { return own(ref, l) })
	theirs, ours := map[int64]bool{}, map[int64]bool{}
	for f, err := range hits.Of(hits.Span(ref)) {
		switch {
		case err != nil:
			return nil, 0, err
		case f.At.N != o.N || f.Record < 0:
		case f.Excluded():
			theirs[f.Record] = true
		case f.Automatic():
			ours[f.Record] = true
		}
	}
	if others.None() && len(theirs) == 0 {
		return plain()
	}
	in := scanners.Input{
		Name: row.Object.Shown, Ext: scanners.Ext(o.Key), Size: o.Size, Every: true,
		Layout: scanners.Layout{Header: d.CSV.Header, Delimiter: d.CSV.Delimiter, Columns: d.CSV.Columns},
		Open: func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
			return store.Open(ctx, o.Ref, connectors.Range{Off: off, Len: n})
		},
	}
	format := d.Format
	if format == "auto" {
		var err error
		if format, err = detectFormat(ctx, in); err != nil {
			return nil, 0, err
		}
	}
	s := formats()[format]
	if s == nil {
		return nil, 0, &scanners.Refusal{Code: scanners.Unknown, Name: in.Name, Err: errors.New("no format is known by this content")}
	}
	var edits []scanners.Edit
	_, err := s.Scan(ctx, in, scanners.Nothing{}, func(r *scanners.Record) error {
		if theirs[r.Index] || !ours[r.Index] && others.Name(r) {
			edits = append(edits, scanners.Edit{Record: r.Index})
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, 0, err
	case len(edits) == 0:
		return plain()
	}
	body, err := without(ctx, s, in, edits)
	return body, int64(len(edits)), err
}

// without is an object without some of its records.
func without(ctx context.Context, s scanners.Scanner, in scanners.Input, edits []scanners.Edit) (io.ReadCloser, error) {
	rw, can := s.(scanners.Rewriter)
	if !can {
		return nil, &scanners.Refusal{Code: scanners.Unsupported, Name: in.Name, Err: fmt.Errorf("records of others cannot be left out of %s", s.Format())}
	}
	f, err := spool.Temp()
	if err != nil {
		return nil, err
	}
	got, err := rw.Rewrite(ctx, in, edits, f, func(*scanners.Record) error { return nil })
	if err == nil && got.Erased != int64(len(edits)) {
		err = fmt.Errorf("leave records of others out of %s: %d of %d", in.Name, got.Erased, len(edits))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &pieces{ctx: ctx, in: in, spool: f, left: got.Pieces}, nil
}

// pieces reads what a Rewriter names, piece by piece. ctx is that of the one read of it.
type pieces struct {
	ctx   context.Context
	in    scanners.Input
	spool *os.File
	left  []scanners.Piece
	body  io.ReadCloser // of the piece at hand
	want  int64         // bytes of it that are to come
}

func (p *pieces) Read(b []byte) (int, error) {
	for p.want == 0 {
		if err := p.next(); err != nil {
			return 0, err
		}
	}
	n, err := p.body.Read(b[:min(int64(len(b)), p.want)])
	if p.want -= int64(n); errors.Is(err, io.EOF) {
		if err = nil; p.want > 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// next begins the next piece; io.EOF after the last.
func (p *pieces) next() (err error) {
	if p.body != nil {
		p.body.Close()
		p.body = nil
	}
	if len(p.left) == 0 {
		return io.EOF
	}
	piece := p.left[0]
	p.left = p.left[1:]
	switch {
	case piece.Len == 0:
		return nil
	case piece.Spool:
		p.body = io.NopCloser(io.NewSectionReader(p.spool, piece.Off, piece.Len))
	default:
		if p.body, err = p.in.Open(p.ctx, piece.Off, piece.Len); err != nil {
			return err
		}
	}
	p.want = piece.Len
	return nil
}

// Close ends reading, and removes the spool.
func (p *pieces) Close() error {
	var err error
	if p.body != nil {
		err = p.body.Close()
	}
	return errors.Join(err, p.spool.Close())
}
