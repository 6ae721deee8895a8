package verify

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"expunge/pipeline"
	"expunge/pipeline/identity"
)

// needle is one of which the forms are known; value is canonical.
func needle(kind pipeline.Kind, value string) identity.Needle {
	return identity.Needle{Canon: identity.Canon{Kind: kind, Value: pipeline.Secret(value)}}
}

// some are needles that share first bytes, hold each other, or are equal.
func some() []identity.Needle {
	out := []identity.Needle{
		needle(pipeline.Phone, "14045550123"), needle(pipeline.Phone, "14045550124"), needle(pipeline.Phone, "4045550123"), needle(pipeline.Phone, "2905551"), needle(pipeline.Phone, "68355"),
		needle(pipeline.Email, "ann@example.com"), needle(pipeline.Email, "jo.ann@example.com"), needle(pipeline.Email, "ann@example.com.test"), needle(pipeline.Email, "a@b.test"),
		needle(pipeline.Visitor, "6d9207a08246aba4ae5b76104861e7dc"), needle(pipeline.Visitor, "6d9207a08246aba4ae5b76104861e7dc"), needle("call_id", "calbig01000123"), needle("call_id", "calbig0100012"),
		needle("user_id", "ann@example.com"), needle("user_id", "42"), needle("user_id", "%2b4045550123"), needle(pipeline.Name, "somebody"), needle("user_id", "-------"), needle("user_id", "-------------"),
	}
	for n := range 80 { // more lengths than bits
		out = append(out, needle("click_id", strings.Repeat("click-", 15)[:8+n]))
	}
	return out
}

// slowly is what reading does, literal by literal and place by place.
func slowly(forms [][]literal, chunks [][]byte) map[uint32]bool {
	longest := 0
	for _, of := range forms {
		for _, x := range of {
			longest = max(longest, len(x.text))
		}
	}
	found := map[uint32]bool{}
	var text []byte
	from := 0
	look := func(last bool) {
		lower := bytes.ToLower(text)
		for i, of := range forms {
			for _, x := range of {
				joins := &spelt{mail: x.mail}
				for at := min(from, len(lower)); ; {
					n := bytes.Index(lower[at:], []byte(x.text))
					if n < 0 {
						break
					}
					start, end := at+n, at+n+len(x.text)
					if !joins.joinsBefore(lower[:start]) && (last || end+1 < len(lower)) && !joins.joinsBehind(lower[end:]) {
						found[uint32(i)] = true
						break
					}
					at = start + 1
				}
			}
		}
	}
	for _, chunk := range chunks {
		text = append(text, chunk...)
		look(false)
		if n := len(text) - longest - 2*margin; n > 0 {
			text, from = bytes.Clone(text[n:]), margin
		}
	}
	look(true)
	return found
}

func quickly(l *literals, chunks [][]byte) map[uint32]bool {
	found := map[uint32]bool{}
	r := &reading{literals: l, done: func(n uint32) bool { return found[n] }, found: func(n uint32) { found[n] = true }}
	for _, chunk := range chunks {
		r.add(chunk)
	}
	r.end()
	return found
}

// FuzzLiterals searches any bytes, cut at any places, for all literals at once and one
// after the other: the same needles are found.
func FuzzLiterals(f *testing.F) {
	f.Add([]byte(`{"x":"404-555-0123","y":"%2B14045550123 \nann@example.com"}`), uint64(1))
	f.Add([]byte(strings.Repeat("-", 60)+"_CALBIG01000123\u212a68355"), uint64(7))
	forms, l := spelled(some())
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		same(t, forms, l, cut(rand.New(rand.NewPCG(seed, 0)), text))
	})
}

func spelled(needles []identity.Needle) (forms [][]literal, l *literals) {
	for i := range needles {
		forms = append(forms, spell(&needles[i]))
	}
	return forms, newLiterals(needles)
}

func same(t *testing.T, forms [][]literal, l *literals, chunks [][]byte) int {
	t.Helper()
	want, got := slowly(forms, chunks), quickly(l, chunks)
	if !maps.Equal(got, want) {
		t.Fatalf("%q: needles %v, want %v", chunks, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	return len(want)
}

func cut(r *rand.Rand, text []byte) [][]byte {
	var out [][]byte
	most := 1 << r.IntN(9)
	for len(text) > 0 {
		n := min(len(text), 1+r.IntN(most))
		out, text = append(out, text[:n]), text[n:]
	}
	return out
}

// TestLiteralsAtOnce does the same with text that is made of literals, parts of them,
// and what may join them.
func TestLiteralsAtOnce(t *testing.T) {
	of, l := spelled(some())
	var forms []string
	for _, x := range slices.Concat(of...) {
		forms = append(forms, x.text)
	}
	beside := []string{"", " ", "\n", `"`, "_", "-", ".", "+", "%", "%2b", "%252B", "%2525252525252b", `\n`, `\u0040`, `\x2f`, `\`, "a", "7", "ü", "İ", "\u212a", "\xff", "@", "/"}
	r := rand.New(rand.NewPCG(3, 1))
	met := map[int]int{}
	for range 500 {
		var text []byte
		for range 1 + r.IntN(6) {
			form := forms[r.IntN(len(forms))]
			switch r.IntN(6) {
			case 0:
				form = form[:r.IntN(len(form))]
			case 1:
				form = strings.ToUpper(form)
			case 2:
				form += forms[r.IntN(len(forms))]
			}
			text = fmt.Append(text, beside[r.IntN(len(beside))], beside[r.IntN(len(beside))], form, beside[r.IntN(len(beside))])
		}
		met[same(t, of, l, cut(r, text))]++
	}
	if met[0] < 30 || met[1] < 30 || met[2]+met[3] < 30 {
		t.Errorf("texts by how many needles they hold, which say little: %v", met)
	}
}

// BenchmarkLiterals: 100,000 literals cost about what 100 do.
func BenchmarkLiterals(b *testing.B) {
	var text []byte
	r := rand.New(rand.NewPCG(1, 1))
	for i := 0; len(text) < 1<<20; i++ {
		text = fmt.Appendf(text, `{"id":"CALbig%08d","start_time":"2026-10-02T10:00:00Z","customer_phone_number":"+1404555%04d","recording_url":"https://api.example.com/recordings/REbig%08d.json","visitor":"%016x%016x","transcription":"nobody said anything"}`+"\n", i+1e7, 100+i%100, i+1e7, r.Uint64(), r.Uint64())
	}
	for _, n := range []int{100, 10_000, 100_000} {
		var needles []identity.Needle
		for i := range n / 4 {
			needles = append(needles, needle("call_id", fmt.Sprintf("calbig%08d", i)), needle("recording_id", fmt.Sprintf("rebig%08d", i)), needle(pipeline.Visitor, fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())))
		}
		l := newLiterals(needles)
		b.Run(fmt.Sprint(len(l.first)), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				q := &reading{literals: l, done: func(uint32) bool { return false }, found: func(uint32) { b.Fatal("found") }}
				for chunk := range slices.Chunk(text, 1<<16) {
					q.add(chunk)
				}
				q.end()
			}
		})
	}
}
