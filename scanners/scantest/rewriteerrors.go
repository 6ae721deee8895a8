package scantest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"expunge/scanners"
)

func accept(*scanners.Record) error { return nil }

// full is a spool that has no room after n bytes.
type full struct{ n int }

var errFull = errors.New("no space left")

func (f *full) Write(b []byte) (int, error) {
	if f.n -= len(b); f.n < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// errors: of the store, the context and the spool.
func (c *copies) errors(t *testing.T) {
	r := rand.New(rand.NewPCG(4, uint64(len(c.stored))))
	edits := c.pick(r, true)
	broken := errors.New("connection reset")
	for i := range 12 {
		from := int64(i) - 1
		if i > 5 && len(c.stored) > 0 {
			from = r.Int64N(int64(len(c.stored)))
		}
		if from >= int64(len(c.stored)) {
			continue
		}
		o := &object{data: c.stored, size: int64(len(c.stored)), cause: broken, from: from}
		_, err := c.s.Rewrite(context.Background(), o.input("o", c.Layout), edits, io.Discard, accept)
		ref := (*scanners.Refusal)(nil)
		if !errors.As(err, &ref) || ref.Code != scanners.Unreadable || !errors.Is(err, broken) || o.open.Load() != 0 {
			t.Fatalf("store broken at %d: %v", from, err)
		}
	}
	for _, d := range []int64{-1, 1} { // another size than listed
		o := &object{data: c.stored, size: max(int64(len(c.stored))+d, 0)}
		if o.size == int64(len(c.stored)) {
			continue
		}
		o.data = append(bytes.Clone(c.stored), bytes.Repeat([]byte("\n"), int(max(-d, 0)))...)
		if _, err := c.s.Rewrite(context.Background(), o.input("o", c.Layout), nil, io.Discard, accept); err == nil && d > 0 {
			t.Errorf("%d bytes, listed as %d: no error", len(o.data), o.size)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	o := &object{data: c.stored, size: int64(len(c.stored))}
	_, err := c.s.Rewrite(ctx, o.input("o", c.Layout), edits, io.Discard, func(*scanners.Record) error { cancel(); return nil })
	if err != nil && err != context.Canceled {
		t.Errorf("cancelled on the way: %v", err)
	}
	cancel()
	if _, err := c.s.Rewrite(ctx, o.input("o", c.Layout), edits, io.Discard, accept); err != context.Canceled || o.open.Load() != 0 {
		t.Errorf("cancelled before: %v", err)
	}
	out := c.rewrite(t, c.stored, edits)
	for _, n := range []int{0, len(out.spool) / 2, len(out.spool) - 1} {
		if len(out.spool) == 0 {
			break
		}
		_, err := c.s.Rewrite(context.Background(), o.input("o", c.Layout), edits, &full{n}, accept)
		ref := (*scanners.Refusal)(nil)
		if !errors.Is(err, errFull) || errors.As(err, &ref) || o.open.Load() != 0 {
			t.Errorf("spool full after %d of %d bytes: %v", n, len(out.spool), err)
		}
	}
}

// damaged: what a scan refuses is not rewritten, and nothing panics.
func (c *copies) damaged(t *testing.T) {
	r := rand.New(rand.NewPCG(5, uint64(len(c.stored))))
	if len(c.stored) < 8 {
		return
	}
	for i := range 60 {
		data := bytes.Clone(c.stored)
		if i%3 == 0 {
			data = data[:r.IntN(len(data))]
		} else {
			data[4+r.IntN(len(data)-4)] ^= 1 << r.IntN(8)
		}
		o := &object{data: data, size: int64(len(data))}
		in := o.input("o", c.Layout)
		in.Every = true
		stats, scanErr := c.s.Scan(context.Background(), in, &Finder{}, accept)
		var spool bytes.Buffer
		out, err := c.s.Rewrite(context.Background(), in, nil, &spool, accept)
		ref := (*scanners.Refusal)(nil)
		if err != nil && (!errors.As(err, &ref) || ref.Code == scanners.Crashed) || o.open.Load() != 0 {
			t.Fatalf("%d: %v", i, err)
		}
		if c.Lazy && scanErr != nil {
			continue
		}
		if (err == nil) != (scanErr == nil) {
			t.Fatalf("%d: scan says %v, rewrite %v", i, scanErr, err)
		}
		if err == nil && (out.Records != stats.Records || !bytes.Equal(Lay(t, out.Pieces, data, spool.Bytes()), data)) {
			t.Fatalf("%d: %d records, scan says %d", i, out.Records, stats.Records)
		}
		if scanErr == nil && stats.Records > 0 {
			_, err := c.s.Rewrite(context.Background(), in, []scanners.Edit{{Record: r.Int64N(stats.Records)}}, io.Discard, accept)
			if err != nil && (!errors.As(err, &ref) || ref.Code == scanners.Crashed) {
				t.Fatalf("%d: %v", i, err)
			}
		}
	}
}

// BoundedRewrite rewrites in and fails if the heap grows by more than limit bytes
// beyond what it was, or if there are not so many records.
func BoundedRewrite(t *testing.T, s scanners.Rewriter, in scanners.Input, edits []scanners.Edit, records int64, limit uint64) {
	t.Helper()
	bounded(t, limit, func() {
		out, err := s.Rewrite(context.Background(), in, edits, io.Discard, accept)
		if err != nil || out.Records != records {
			t.Fatalf("%d records of %d: %v", out.Records, records, err)
		}
	})
}

// FuzzRewriter rewrites an object by bits, two for each of the first records: it
// stays, goes, is emptied, or is emptied but for keep.
func FuzzRewriter(t *testing.T, s scanners.Rewriter, f Copied, bits uint64, keep string) {
	t.Helper()
	c := &copies{Copied: f, s: s, stored: f.Data, loose: true}
	o := &object{data: f.Data, size: int64(len(f.Data))}
	in := o.input("o", f.Layout)
	in.Every = true
	many := errors.New("too many records to be compared in a moment")
	stats, scanErr := s.Scan(context.Background(), in, &Finder{}, func(r *scanners.Record) error {
		if r.Index > 2000 {
			return many
		}
		if r.Index >= 0 {
			c.all = append(c.all, keepRecord(r))
		}
		return nil
	})
	if scanErr == many {
		return
	}
	out, err := c.try(t, f.Data, nil)
	if (err == nil) != (scanErr == nil) {
		t.Fatalf("scan says %v, rewrite %v", scanErr, err)
	}
	if err != nil {
		return
	}
	if !bytes.Equal(out.data, f.Data) || out.Records != stats.Records || len(out.spool) > 0 {
		t.Fatalf("no edits, and yet it changed, or %d records are %d", stats.Records, out.Records)
	}
	var edits []scanners.Edit
	for i := range min(len(c.all), 32) {
		switch bits >> (2 * i) & 3 {
		case 1:
			edits = append(edits, scanners.Edit{Record: int64(i)})
		case 2:
			edits = append(edits, scanners.Edit{Record: int64(i), Redact: true})
		case 3:
			edits = append(edits, scanners.Edit{Record: int64(i), Redact: true, Keep: []string{keep}})
		}
	}
	ref := (*scanners.Refusal)(nil)
	if out, err = c.try(t, f.Data, edits); err != nil {
		if !errors.As(err, &ref) || ref.Code != scanners.Malformed && ref.Code != scanners.Unsupported {
			t.Fatalf("%s: %v", brief(edits), err)
		}
		return
	}
	c.compare(t, edits, out)
}
