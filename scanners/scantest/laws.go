package scantest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"expunge/scanners"
)

// truth: exactly the records that a full parse finds, each with its place; all
// records are counted, and everything was shown to the finder.
func (l *law) truth(t *testing.T) {
	for _, set := range l.literals() {
		f := &Finder{Literals: set}
		o := l.object()
		got, stats, err := l.scan(t, o, o.input("o", l.Layout), f)
		if err != nil {
			t.Fatalf("%q: %v", set, err)
		}
		same(t, fmt.Sprintf("%q", set), got, l.want(f, false))
		if stats.Records != int64(len(l.Records)) {
			t.Fatalf("%d records counted, there are %d", stats.Records, len(l.Records))
		}
		l.counts(t, stats, got)
		l.boundaries(t, f, stats, 0)
		l.shown(t, f)
	}
	o := l.object()
	_, err := l.s.Scan(context.Background(), o.input("o", l.Layout), &Finder{Literals: l.most()}, func(r *scanners.Record) error {
		if r.Offset >= 0 && !bytes.Equal(r.Raw, l.Data[r.Offset:r.Offset+r.Length]) {
			t.Errorf("record %d: raw bytes are not those at its offset", r.Index)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (l *law) counts(t *testing.T, stats scanners.Stats, got []hit) {
	t.Helper()
	var malformed, suspect int64
	for _, r := range l.Records {
		if r.Malformed {
			malformed++
		}
	}
	for _, h := range got {
		if h.Suspect {
			suspect++
		}
	}
	if stats.Malformed > malformed || stats.Suspect > stats.Malformed || suspect > stats.Suspect {
		t.Errorf("%+v: %d records are malformed, %d came as suspect", stats, malformed, suspect)
	}
}

// boundaries: ascending, and the last one says how many records there were.
func (l *law) boundaries(t *testing.T, f *Finder, stats scanners.Stats, first int64) {
	t.Helper()
	last := Boundary{Record: first}
	for _, b := range f.Boundaries {
		if b.Record < last.Record || b.Off < last.Off {
			t.Errorf("boundary %+v after %+v", b, last)
		}
		last = b
	}
	if len(f.Boundaries) == 0 || last.Record != first+stats.Records {
		t.Errorf("last boundary %+v of %d, after %d records", last, len(f.Boundaries), stats.Records)
	}
}

// shown: no record, or no leaf where records have no bytes of their own, was kept
// from the finder.
func (l *law) shown(t *testing.T, f *Finder) {
	t.Helper()
	probed := bytes.Join(f.Probed, []byte("\x00\x00"))
	asked := map[string]bool{}
	for _, v := range f.Asked {
		asked[string(v)] = true
	}
	for i, r := range l.Records {
		if r.Offset >= 0 {
			if !bytes.Contains(probed, l.Data[r.Offset:r.Offset+r.Length]) {
				t.Fatalf("record %d was not probed", i)
			}
			continue
		}
		for _, leaf := range r.Leaves {
			if !bytes.Contains(probed, []byte(leaf.Value)) && !asked[leaf.Value] {
				t.Fatalf("record %d: %s was not probed", i, leaf.Path)
			}
		}
	}
}

// every: with Input.Every all records come, decoded.
func (l *law) every(t *testing.T) {
	f := &Finder{Literals: l.most()}
	o := l.object()
	in := o.input("o", l.Layout)
	in.Every = true
	got, _, err := l.scan(t, o, in, f)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "every", got, l.want(f, true))
}

// fields: values that Probe does not know are found by ProbeField.
func (l *law) fields(t *testing.T) {
	seen := map[string]int{}
	for _, r := range l.Records {
		for _, leaf := range r.Leaves {
			if seen[leaf.Path]++; seen[leaf.Path] > 3 || leaf.Value == "" {
				continue
			}
			f := &Finder{Values: map[string]string{leaf.Path: leaf.Value}}
			o := l.object()
			got, _, err := l.scan(t, o, o.input("o", l.Layout), f)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "field "+leaf.Path, got, l.want(f, false))
		}
	}
}

// parts: cut anywhere, the object gives the same, and so does going on from a
// boundary.
func (l *law) parts(t *testing.T) {
	s, ok := l.s.(scanners.Splitter)
	if !ok {
		return
	}
	size := int64(len(l.stored))
	targets := []int64{size/7 + 1, size/3 + 1, size + 1}
	if size < 4<<10 {
		targets = append(targets, 1, 7)
	}
	for _, target := range targets {
		o := l.object()
		in := o.input("o", l.Layout)
		parts, err := s.Split(context.Background(), in, target)
		if err != nil {
			t.Fatalf("split in %d: %v", target, err)
		}
		if n := o.open.Load(); n != 0 {
			t.Errorf("split in %d: %d readers were not closed", target, n)
		}
		if len(parts) == 0 {
			continue
		}
		f := &Finder{Literals: l.most()}
		var got []hit
		var records, at int64
		for _, p := range parts {
			if p.Groups == 0 {
				if p.Off != at || p.Len <= 0 {
					t.Fatalf("split in %d: part %+v, expected at %d", target, p, at)
				}
				at += p.Len
			}
			p.Record = records
			in.Part = p
			pf := &Finder{Literals: f.Literals}
			hits, stats, err := l.scan(t, o, in, pf)
			if err != nil {
				t.Fatalf("split in %d: part %+v: %v", target, p, err)
			}
			l.boundaries(t, pf, stats, records)
			got = append(got, hits...)
			records += stats.Records
		}
		if at != 0 && at != size {
			t.Fatalf("split in %d: parts end at %d of %d", target, at, size)
		}
		same(t, fmt.Sprintf("split in %d", target), got, l.want(f, false))
		if records != int64(len(l.Records)) {
			t.Fatalf("split in %d: %d records, there are %d", target, records, len(l.Records))
		}
	}
	l.resume(t)
}

func (l *law) resume(t *testing.T) {
	t.Helper()
	if len(l.Records) == 0 || l.packed || l.Whole {
		return
	}
	f := &Finder{Literals: l.most()}
	o := l.object()
	if _, _, err := l.scan(t, o, o.input("o", l.Layout), f); err != nil {
		t.Fatal(err)
	}
	groups := f.Boundaries[len(f.Boundaries)-1].Group
	for _, b := range f.Boundaries {
		part := scanners.Part{Off: b.Off, Len: o.size - b.Off, Record: b.Record}
		if b.Group > 0 {
			part = scanners.Part{Group: b.Group, Groups: groups - b.Group, Record: b.Record}
		}
		if part.Groups <= 0 && (b.Off == 0 || b.Off >= o.size) {
			continue
		}
		in := o.input("o", l.Layout)
		in.Part = part
		got, _, err := l.scan(t, o, in, &Finder{Literals: f.Literals})
		if err != nil {
			t.Fatalf("from %+v: %v", b, err)
		}
		var want []hit
		for _, h := range l.want(f, false) {
			if h.Index >= b.Record {
				want = append(want, h)
			}
		}
		same(t, fmt.Sprintf("from %+v", b), got, want)
	}
}

// positions are up to n places in the stored object, its ends among them.
func (l *law) positions(n int) []int64 {
	size := int64(len(l.stored))
	var at []int64
	step := max(size/int64(n), 1)
	for i := int64(0); i < size; i += step {
		at = append(at, i)
	}
	for i := max(size-12, 0); i < size; i++ {
		at = append(at, i)
	}
	return at
}

// truncated: a body shorter than listed is refused; so is a short object where
// its form says that there was more. What was emitted stands.
func (l *law) truncated(t *testing.T) {
	f := &Finder{Literals: l.most()}
	want := l.want(f, false)
	for _, n := range l.positions(80) {
		short := &object{data: l.stored[:n], size: int64(len(l.stored))}
		got, stats, err := l.scan(t, short, short.input("o", l.Layout), &Finder{Literals: f.Literals})
		if err == nil && !l.Whole {
			t.Fatalf("body of %d bytes of %d: no error, %d records", n, short.size, stats.Records)
		}
		same(t, fmt.Sprintf("body of %d bytes", n), got, want[:min(len(got), len(want))])

		o := &object{data: l.stored[:n], size: n}
		got, stats, err = l.scan(t, o, o.input("o", l.Layout), &Finder{Literals: f.Literals})
		if err == nil && (l.packed && n > 1 || l.Sealed && n > 0) { // a single byte can begin anything
			t.Fatalf("object cut at %d of %d: no error, %d records", n, len(l.stored), stats.Records)
		}
		if n != 1 && stats.Records > int64(len(l.Records)) {
			t.Fatalf("object cut at %d: %d records, there are %d", n, stats.Records, len(l.Records))
		}
		if l.packed && n > 3 {
			same(t, fmt.Sprintf("object cut at %d", n), got, want[:min(len(got), len(want))])
		}
	}
}

// flipped: no panic, and under a checksum no other outcome without an error.
func (l *law) flipped(t *testing.T) {
	if len(l.stored) < 8 {
		return
	}
	r := rand.New(rand.NewSource(1))
	f := &Finder{Literals: l.most()}
	want := l.want(f, false)
	for range 100 {
		bit := 32 + r.Intn(8*len(l.stored)-32) // what begins otherwise is another object
		data := bytes.Clone(l.stored)
		data[bit/8] ^= 1 << (bit % 8)
		o := &object{data: data, size: int64(len(data))}
		var hits int
		stats, err := l.s.Scan(context.Background(), o.input("o", l.Layout), &Finder{Literals: f.Literals},
			func(*scanners.Record) error { hits++; return nil })
		if o.open.Load() != 0 {
			t.Fatalf("bit %d: a reader was not closed", bit)
		}
		if ref := (*scanners.Refusal)(nil); err != nil && !errors.As(err, &ref) {
			t.Fatalf("bit %d: error is no refusal: %v", bit, err)
		}
		if l.packed && err == nil && (stats.Records != int64(len(l.Records)) || hits != len(want)) {
			t.Fatalf("bit %d: no error, %d records of %d, %d hits of %d", bit, stats.Records, len(l.Records), hits, len(want))
		}
	}
}

// errors: of the store, the context and emit.
func (l *law) errors(t *testing.T) {
	f := func() *Finder { return &Finder{Literals: l.most()} }
	broken := errors.New("connection reset")
	for _, from := range append([]int64{-1}, l.positions(30)...) {
		o := l.object()
		o.cause, o.from = broken, from
		_, _, err := l.scan(t, o, o.input("o", l.Layout), f())
		ref := (*scanners.Refusal)(nil)
		if !errors.As(err, &ref) || ref.Code != scanners.Unreadable || !errors.Is(err, broken) {
			if err == nil && from >= 0 && l.unread(from) {
				continue
			}
			t.Fatalf("store broken at %d: %v", from, err)
		}
	}

	none := func(*scanners.Record) error { return nil }
	ctx, cancel := context.WithCancel(context.Background())
	o := l.object()
	o.hook = func(off int64) {
		if off >= o.size/2 {
			cancel()
		}
	}
	if _, err := l.s.Scan(ctx, o.input("o", l.Layout), f(), none); err != nil && err != context.Canceled || err == nil && ctx.Err() != nil && o.size > 1<<20 {
		t.Errorf("cancelled on the way: %v", err)
	}
	cancel()
	if _, err := l.s.Scan(ctx, o.input("o", l.Layout), f(), none); err != context.Canceled {
		t.Errorf("cancelled before: %v", err)
	}

	if len(l.want(f(), false)) > 0 {
		o := l.object()
		calls := 0
		_, err := l.s.Scan(context.Background(), o.input("o", l.Layout), f(), func(*scanners.Record) error { calls++; return broken })
		if err != broken || calls != 1 || o.open.Load() != 0 {
			t.Errorf("error of emit: %v after %d calls, %d readers open", err, calls, o.open.Load())
		}
	}
}

// unread reports whether a scan never reads the stored byte at off: nobody can
// ask of it to notice that it cannot be had.
func (l *law) unread(off int64) bool {
	o := l.object()
	in := o.input("o", l.Layout)
	data := bytes.Clone(l.stored)
	data[off] ^= 0xff
	o.data = data
	var n int
	stats, err := l.s.Scan(context.Background(), in, &Finder{Literals: l.most()}, func(*scanners.Record) error { n++; return nil })
	return !l.packed && l.Records != nil && l.Records[0].Offset < 0 && err == nil &&
		stats.Records == int64(len(l.Records)) && n == len(l.want(&Finder{Literals: l.most()}, false))
}

// concurrent: one scanner serves many scans at a time.
func (l *law) concurrent(t *testing.T) {
	want := l.want(&Finder{Literals: l.most()}, false)
	var g errgroup.Group
	var mu sync.Mutex
	for range 4 {
		g.Go(func() error {
			o := l.object()
			got, _, err := l.scan(t, o, o.input("o", l.Layout), &Finder{Literals: l.most()})
			mu.Lock()
			defer mu.Unlock()
			same(t, "beside others", got, want)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// Bounded scans in and fails if the heap grows by more than limit bytes beyond
// what it was, or if there are not so many records.
func Bounded(t *testing.T, s scanners.Scanner, in scanners.Input, records int64, limit uint64) {
	t.Helper()
	bounded(t, limit, func() {
		stats, err := s.Scan(context.Background(), in, scanners.Nothing{}, func(*scanners.Record) error { return nil })
		if err != nil || stats.Records != records {
			t.Fatalf("%d records of %d: %v", stats.Records, records, err)
		}
	})
}

// bounded fails if the heap grows by more than limit bytes while do works.
func bounded(t *testing.T, limit uint64, do func()) {
	t.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	before, peak := heap(), uint64(0)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				peak = max(peak, heap())
			}
		}
	}()
	func() {
		defer func() { close(done); <-ended }()
		do()
	}()
	if peak > before && peak-before > limit {
		t.Fatalf("heap grew by %d bytes, more than %d", peak-before, limit)
	}
	if peak == 0 {
		t.Fatal("it was too short to be measured")
	}
}
