package scantest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"expunge/scanners"
)

// nothing: without edits the copy is the source, in one piece, and nothing is new.
func (c *copies) nothing(t *testing.T) {
	out := c.rewrite(t, c.stored, nil)
	if !bytes.Equal(out.data, c.stored) || len(out.Pieces) > 1 || len(out.spool) > 0 || len(out.checked) > 0 {
		t.Errorf("%d pieces, %d bytes of %d, %d spooled", len(out.Pieces), len(out.data), len(c.stored), len(out.spool))
	}
	if out.Records != int64(len(c.all)) {
		t.Errorf("%d records, there are %d", out.Records, len(c.all))
	}
}

// everything: all records go, and the form that is left is valid.
func (c *copies) everything(t *testing.T) {
	var edits []scanners.Edit
	for i := range c.all {
		edits = append(edits, scanners.Edit{Record: int64(i)})
	}
	out, err := c.try(t, c.stored, edits)
	if c.Kept && len(edits) > 0 {
		ref := (*scanners.Refusal)(nil)
		if !errors.As(err, &ref) || ref.Code != scanners.Unsupported {
			t.Errorf("the last record went: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	left, _ := c.scan(t, out.data)
	if len(left) > 0 || c.packed && len(out.data) == 0 {
		t.Errorf("%d records left in %d bytes", len(left), len(out.data))
	}
	want := c.Gone
	if c.Lines {
		want = string(c.without(edits, nil))
	}
	if got := string(c.unpack(t, out.data)); got != want {
		t.Errorf("left: %q, want %q", got, want)
	}
}

// without is the unpacked source after edits, whose redacted records are given.
func (c *copies) without(edits []scanners.Edit, redacted []string) []byte {
	var out []byte
	at := int64(0)
	for _, e := range edits {
		r := c.all[e.Record]
		out = append(out, c.Data[at:r.Offset]...)
		at = r.Offset + r.Length
		if e.Redact {
			out = append(out, redacted[0]...)
			redacted = redacted[1:]
			continue
		}
		if rest := c.Data[at:]; bytes.HasPrefix(rest, []byte("\r\n")) {
			at += 2
		} else if bytes.HasPrefix(rest, []byte("\n")) || string(rest) == "\r" {
			at++
		}
	}
	return append(out, c.Data[at:]...)
}

// random: whatever goes, all else stays as it was.
func (c *copies) random(t *testing.T) {
	r := rand.New(rand.NewPCG(1, uint64(len(c.stored))))
	for range 15 {
		c.holds(t, c.pick(r, true))
	}
	for i := range min(len(c.all), 10) { // one by one
		e := scanners.Edit{Record: int64(i)}
		if slices.Contains(c.Bound, e.Record) || c.Kept && len(c.all) == 1 {
			continue
		}
		c.holds(t, []scanners.Edit{e})
	}
}

// holds rewrites, and compares the copy with the source.
func (c *copies) holds(t *testing.T, edits []scanners.Edit) rewritten {
	t.Helper()
	out := c.rewrite(t, c.stored, edits)
	c.compare(t, edits, out)
	c.traceless(t, edits, c.unpack(t, out.data), out)
	return out
}

// compare holds a copy against the source.
func (c *copies) compare(t *testing.T, edits []scanners.Edit, out rewritten) {
	t.Helper()
	got, stats := c.scan(t, out.data)
	if out.Records != int64(len(c.all)) || stats.Records != out.Records-out.Erased {
		t.Fatalf("%s: %d records of %d, then %d", brief(edits), out.Records, len(c.all), stats.Records)
	}
	var redacted []string
	next := edits
	for i, was := range c.all {
		var e *scanners.Edit
		if len(next) > 0 && next[0].Record == int64(i) {
			e, next = &next[0], next[1:]
		}
		if e != nil && !e.Redact {
			continue
		}
		if len(got) == 0 {
			t.Fatalf("%s: record %d is missing", brief(edits), i)
		}
		is := got[0]
		got = got[1:]
		if e == nil {
			if is.raw != was.raw || is.leaves != was.leaves || is.Suspect != was.Suspect {
				t.Fatalf("%s: record %d\n was %.300q %s\n  is %.300q %s", brief(edits), i, was.raw, was.leaves, is.raw, is.leaves)
			}
			continue
		}
		redacted = append(redacted, is.raw)
		c.emptied(t, was, is, e)
	}
	plain := c.unpack(t, out.data)
	if c.Lines {
		if want := c.without(edits, redacted); !bytes.Equal(plain, want) {
			t.Fatalf("%s:\n got %.500q\nwant %.500q", brief(edits), plain, want)
		}
		var new int
		for _, s := range redacted {
			new += len(s)
		}
		if n := len(out.spool); !c.packed && (n < new || n > new+2*len(redacted)) {
			t.Errorf("%s: %d bytes spooled, %d are new", brief(edits), n, new)
		}
	}
}

// emptied: of a redacted record what is kept stays, and the rest is empty.
func (c *copies) emptied(t *testing.T, was, is copied, e *scanners.Edit) {
	t.Helper()
	empty := c.Empty
	if empty == nil {
		empty = func(_, is scanners.Leaf) bool { return len(is.Value) == 0 }
	}
	if len(was.Leaves) != len(is.Leaves) || is.Suspect {
		t.Fatalf("record %d but %q\n was %s\n  is %s", e.Record, e.Keep, was.leaves, is.leaves)
	}
	for k, l := range was.Leaves {
		now := is.Leaves[k]
		same := bytes.Equal(l.Value, now.Value) && (l.Value == nil) == (now.Value == nil)
		switch {
		case now.Path != l.Path:
			t.Fatalf("record %d but %q: %s became %s", e.Record, e.Keep, l.Path, now.Path)
		case isKept(l.Path, e.Keep) || isKept(l.Path, c.Structure):
			if !same && !c.loose {
				t.Fatalf("record %d but %q: %s was %q and is %q", e.Record, e.Keep, l.Path, l.Value, now.Value)
			}
		case !empty(l, now) && !(c.loose && same && len(e.Keep) > 0):
			t.Fatalf("record %d but %q: %s was %q and still is %q", e.Record, e.Keep, l.Path, l.Value, now.Value)
		}
	}
}

// traceless: the values that went are found nowhere any more, unless they stand
// where something stays.
func (c *copies) traceless(t *testing.T, edits []scanners.Edit, plain []byte, out rewritten) {
	t.Helper()
	stays, next := []byte(c.Stays+"\x00"), edits
	var gone []string
	for i, r := range c.all {
		if len(next) == 0 || next[0].Record != int64(i) {
			stays = append(append(stays, r.raw...), 0)
			for _, l := range r.Leaves {
				stays = append(append(stays, l.Value...), 0)
			}
			continue
		}
		e := next[0]
		next = next[1:]
		for _, l := range r.Leaves {
			if e.Redact && (isKept(l.Path, e.Keep) || isKept(l.Path, c.Structure) || slices.Contains(c.Bound, e.Record)) {
				stays = append(append(stays, l.Value...), 0)
			} else if len(l.Value) >= 6 && len(gone) < 200 {
				gone = append(gone, string(l.Value))
			}
			stays = append(append(stays, l.Path...), 0) // keys stay
		}
	}
	gone = slices.DeleteFunc(gone, func(s string) bool { return bytes.Contains(stays, []byte(s)) })
	for _, s := range gone {
		if bytes.Contains(plain, []byte(s)) || bytes.Contains(out.data, []byte(s)) || !c.packed && bytes.Contains(out.spool, []byte(s)) {
			t.Fatalf("%s: %q is still there", brief(edits), s)
		}
	}
	if len(gone) == 0 {
		return
	}
	o := &object{data: out.data, size: int64(len(out.data))}
	_, err := c.s.Scan(context.Background(), o.input("o", c.Layout), &Finder{Literals: gone}, func(r *scanners.Record) error {
		return fmt.Errorf("record %d still has what went, at %s", r.Index, r.Matches[0].Path)
	})
	if err != nil {
		t.Fatalf("%s: %v", brief(edits), err)
	}
}

// twice: one rewrite after another comes to the same as both in one.
func (c *copies) twice(t *testing.T) {
	r := rand.New(rand.NewPCG(2, uint64(len(c.stored))))
	for range 12 {
		edits := c.pick(r, true)
		var first, second []scanners.Edit
		erased := int64(0)
		for _, e := range edits {
			if r.IntN(2) == 0 {
				if first = append(first, e); !e.Redact {
					erased++
				}
				continue
			}
			e.Record -= erased
			second = append(second, e)
		}
		if c.Kept && len(second) > 0 && int64(len(c.all))-erased == 1 {
			continue
		}
		once, err := c.try(t, c.stored, edits)
		a, errA := c.try(t, c.stored, first)
		if errA != nil || err != nil {
			if len(c.Bound) > 0 {
				continue // what must go together was torn apart
			}
			t.Fatal(err, errA)
		}
		b, err := c.try(t, a.data, second)
		if err != nil {
			t.Fatalf("%s after %s: %v", brief(second), brief(first), err)
		}
		if !bytes.Equal(c.unpack(t, once.data), c.unpack(t, b.data)) {
			t.Fatalf("%s, then %s:\n got %.500q\nwant %.500q", brief(first), brief(second), c.unpack(t, b.data), c.unpack(t, once.data))
		}
	}
}

// redact: each record but for each of its paths, or for none.
func (c *copies) redact(t *testing.T) {
	for i, r := range c.all[:min(len(c.all), 8)] {
		e := scanners.Edit{Record: int64(i), Redact: true}
		if slices.Contains(c.Fixed, e.Record) {
			_, err := c.try(t, c.stored, []scanners.Edit{e})
			if ref := (*scanners.Refusal)(nil); !errors.As(err, &ref) || ref.Code != scanners.Malformed {
				t.Errorf("record %d: %v", i, err)
			}
			continue
		}
		out := c.holds(t, []scanners.Edit{e})
		if again := c.rewrite(t, out.data, []scanners.Edit{e}); !bytes.Equal(c.unpack(t, again.data), c.unpack(t, out.data)) {
			t.Errorf("record %d: redacted twice it is not as it was once", i)
		}
		for _, l := range r.Leaves {
			e.Keep = []string{"no.such[].path", l.Path}
			c.holds(t, []scanners.Edit{e})
		}
	}
}

var numbers = regexp.MustCompile(`[0-9]{6,}`)

// spans: where an edit says what of a leaf goes, the rest of it stays, and so does a
// leaf of which nothing goes, if the edit says so.
func (c *copies) spans(t *testing.T) {
	for i, was := range c.all[:min(len(c.all), 8)] {
		if slices.Contains(c.Fixed, int64(i)) {
			continue
		}
		for _, spare := range []bool{false, true} {
			asked := map[string]bool{}
			e := scanners.Edit{Record: int64(i), Redact: true, Spans: func(path string, text []byte) (spans []scanners.Span, ok bool) {
				for _, m := range numbers.FindAllIndex(text, -1) {
					spans = append(spans, scanners.Span{Start: m[0], End: m[1]})
				}
				asked[path+"="+string(text)] = true
				return spans, spare || len(spans) > 0
			}}
			out := c.rewrite(t, c.stored, []scanners.Edit{e})
			got, _ := c.scan(t, out.data)
			is := got[i]
			if len(was.Leaves) != len(is.Leaves) {
				t.Fatalf("record %d\n was %s\n  is %s", i, was.leaves, is.leaves)
			}
			for k, l := range was.Leaves {
				c.spanned(t, int64(i), l, is.Leaves[k], spare, asked[l.Path+"="+string(l.Value)])
			}
		}
	}
}

// spanned: one leaf after what is numbers was cut out of it.
func (c *copies) spanned(t *testing.T, record int64, was, is scanners.Leaf, spare, asked bool) {
	t.Helper()
	m := numbers.Find(was.Value)
	want := numbers.ReplaceAllString(string(was.Value), scanners.Redacted)
	emptied := len(is.Value) == 0 || c.Empty != nil && c.Empty(was, is)
	prose := bytes.ContainsRune(was.Value, ' ') && bytes.ContainsAny(was.Value, "aeiou")
	ok := true
	switch {
	case m == nil && spare:
		ok = bytes.Equal(was.Value, is.Value) && (was.Value == nil) == (is.Value == nil)
	case m == nil || isKept(was.Path, c.Structure):
	case bytes.Contains(is.Value, m):
		ok = false
	case asked:
		ok = string(is.Value) == want || emptied && !prose
	}
	if !ok {
		t.Errorf("record %d, spare %t: %s was %q and is %q", record, spare, was.Path, was.Value, is.Value)
	}
}

// checks: each record that is edited was shown before, as a scan emits it, and an
// error ends it all.
func (c *copies) checks(t *testing.T) {
	r := rand.New(rand.NewPCG(3, uint64(len(c.stored))))
	for range 10 {
		edits := c.pick(r, true)
		out := c.rewrite(t, c.stored, edits)
		if len(out.checked) != len(edits) {
			t.Fatalf("%s: %d records shown", brief(edits), len(out.checked))
		}
		for i, e := range edits {
			is, want := out.checked[i], c.all[e.Record]
			if is.Index != want.Index || is.Offset != want.Offset || is.Length != want.Length || is.raw != want.raw || is.leaves != want.leaves ||
				is.Suspect != want.Suspect || !bytes.Equal(is.Doc, want.Doc) && is.Doc == nil || is.Group != want.Group {
				t.Fatalf("record %d was shown as %+v %s, not as %+v %s", e.Record, is.Record, is.leaves, want.Record, want.leaves)
			}
		}
		if len(edits) == 0 {
			continue
		}
		stop := errors.New("it changed")
		o := &object{data: c.stored, size: int64(len(c.stored))}
		calls, last := 0, r.IntN(len(edits))
		_, err := c.s.Rewrite(context.Background(), o.input("o", c.Layout), edits, &bytes.Buffer{}, func(*scanners.Record) error {
			if calls++; calls > last {
				return stop
			}
			return nil
		})
		if err != stop || calls != last+1 || o.open.Load() != 0 {
			t.Errorf("error of check: %v after %d calls", err, calls)
		}
	}
}

// edits: of what is not there, or out of order.
func (c *copies) edits(t *testing.T) {
	n := int64(len(c.all))
	for _, edits := range [][]scanners.Edit{{{Record: n}}, {{Record: n + 7, Redact: true}}} {
		if _, err := c.try(t, c.stored, edits); !errors.Is(err, scanners.ErrNoRecord) {
			t.Errorf("%s of %d: %v", brief(edits), n, err)
		}
	}
	for _, edits := range [][]scanners.Edit{{{Record: -1}}, {{Record: 1}, {Record: 0}}, {{Record: 0}, {Record: 0, Redact: true}}} {
		if _, err := c.try(t, c.stored, edits); !errors.Is(err, scanners.ErrEdits) {
			t.Errorf("%s: %v", brief(edits), err)
		}
	}
}
