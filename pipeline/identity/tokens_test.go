package identity

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// sameTokens compares the tokens of raw, as they stand in it, with those that the
// reference makes.
func sameTokens(t *testing.T, raw []byte, numbers bool) int {
	t.Helper()
	if bytes.ContainsFunc(raw, func(r rune) bool { return r < 0x80 && escLetter(byte(r)) != 0 }) {
		return 0 // the reference knows an escape by its byte alone
	}
	var d decoder
	text := slices.Clone(d.decode(raw))
	before := slices.Clone(text)
	fast, slow := &tokenizer{h: testKey.hasher(), numbers: numbers}, &reference{tokenizer: tokenizer{h: testKey.hasher(), numbers: numbers}}
	fast.scan(text, d.marks)
	if !bytes.Equal(text, before) {
		t.Fatalf("%q became %q", before, text)
	}
	slow.scan(text, len(d.marks) > 0)
	for _, hits := range [][]span{fast.hits, slow.hits} {
		slices.SortFunc(hits, func(a, b span) int {
			return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.hi, b.hi), cmp.Compare(a.class, b.class), cmp.Compare(a.token, b.token))
		})
	}
	if !slices.Equal(fast.hits, slow.hits) {
		t.Fatalf("%q has the tokens\n%v, the reference makes\n%v", text, fast.hits, slow.hits)
	}
	return len(slow.hits)
}

// tokenPieces are what the tokens of words and numbers depend on, beside pieces.
var tokenPieces = slices.Concat(pieces, []string{
	"1234567", "12345678", "1234567890123456", "123456789012345", "0123456789abcdef", "deadbeef", "GHIJ", "1e10", "E+3", "e-2", "--", "__", "....", "     ", "10.0.0.1", ".5",
	strings.Repeat("7", 63), strings.Repeat("a", 60), strings.Repeat("-", 64), strings.Repeat("Zz9", 180), strings.Repeat(" ", 70), strings.Repeat("4 ", 40), "x_6d92078a-8246-4ba4-ae5b-76104861e7dc",
})

func TestTokensAreThoseOfTheReference(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	tokens := 0
	for i := range 100_000 {
		var b strings.Builder
		for range 1 + r.IntN(30) {
			b.WriteString(tokenPieces[r.IntN(len(tokenPieces))])
		}
		tokens += sameTokens(t, []byte(b.String()), i%2 == 0)
	}
	// bytes of the classes, at every offset in a block
	const some = "0123456789abefxyzABEFXYZ-_ .()+/\n@%\\u;&#,:\"\x00é"
	for i := range 50_000 {
		b := make([]byte, r.IntN(300))
		for k := range b {
			b[k] = some[r.IntN(len(some))]
		}
		tokens += sameTokens(t, b, i%2 == 0)
	}
	if log := callLog(1 << 20); tokens < 500_000 || sameTokens(t, log, true) < 10_000 {
		t.Errorf("%d tokens only", tokens)
	}
}

func FuzzTokens(f *testing.F) {
	for _, s := range lawSeeds {
		f.Add([]byte(s), false)
		f.Add([]byte(strings.Repeat(s, 9)), true)
	}
	f.Fuzz(func(t *testing.T, raw []byte, numbers bool) { sameTokens(t, raw, numbers) })
}

// TestLayout: each place is that of a byte of its class.
func TestLayout(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	var l layout
	var special places
	for n := range 400 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		l.of(b)
		special.mark(b)
		for i, c := range append(b, 0) {
			class := classes[c]
			for name, p := range map[string]struct {
				places
				is bool
			}{
				"word": {l.word, class&word != 0}, "number": {l.number, class&(digit|phsep) != 0}, "digit": {l.digit, isDigit(c)}, "hexlet": {l.hexlet, class&hexlet != 0},
				"hyphen": {l.hyphen, c == '-'}, "split": {l.split, c == '-' || c == '_'}, "join": {l.join, c == '+' || c == '/'}, "at": {l.at, c == '@'},
				"special": {special, strings.IndexByte(`%#;\`, c) >= 0 || c >= 0x80},
			} {
				if got := p.places.at(i)&1 == 1; got != p.is {
					t.Fatalf("byte %#x at %d of %d: %s is %t", c, i, n, name, got)
				}
			}
		}
	}
}
