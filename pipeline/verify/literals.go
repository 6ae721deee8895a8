package verify

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"regexp"
	"slices"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/identity"
)

// minLiteral is the least length of a literal that is searched raw. Shorter ones
// ("42") stand everywhere and mean nothing outside of their field.
const minLiteral = 7

// margin is how many bytes before a literal say at most whether it is one: an escape
// that is escaped itself, as in "%25252b".
const margin = 16

// literal is a way in which a needle may stand in raw bytes, lower case.
type literal struct {
	text string
	mail bool // of an address: dots and hyphens join it with what stands beside it
}

// spell says how a needle may stand in raw bytes. It shares nothing with the tokens
// and rules of identity but the canonical forms.
func spell(n *identity.Needle) []literal {
	if n.Past != nil {
		return nil // nobody knows how to spell it: see pastSearch
	}
	var out []literal
	var forms []string
	value := strings.ToLower(n.Canon.Value.Reveal())
	if n.Canon.Hashed() {
		_, digest, _ := strings.Cut(value, ":")
		return []literal{{text: digest}}
	}
	switch n.Canon.Kind {
	case pipeline.Phone:
		out = phones(value)
		forms = hashes("+"+value, value)
	case pipeline.Email:
		forms = append(hashes(value), value, strings.ReplaceAll(value, "@", "%40"), strings.ReplaceAll(value, "@", `\u0040`))
	case pipeline.Name, pipeline.IP:
		return nil // they only ever confirm
	default:
		forms = []string{value}
		if plain, err := hex.DecodeString(value); err == nil && len(plain) == 16 { // a UUID
			forms = append(forms, value[:8]+"-"+value[8:12]+"-"+value[12:16]+"-"+value[16:20]+"-"+value[20:])
		}
	}
	for _, f := range forms {
		if len(f) >= minLiteral {
			out = append(out, literal{text: f, mail: n.Canon.Kind == pipeline.Email && strings.HasSuffix(f, value[strings.IndexByte(value, '@')+1:])})
		}
	}
	return out
}

// phones are common ways to write a number.
func phones(digits string) []literal {
	forms := []string{digits}
	if len(digits) == 11 && digits[0] == '1' {
		a, b, c := digits[1:4], digits[4:7], digits[7:]
		forms = append(forms, a+b+c, a+"-"+b+"-"+c, a+"."+b+"."+c, a+" "+b+" "+c, "("+a+") "+b+"-"+c, "("+a+")"+b+"-"+c, a+"%20"+b+"%20"+c, "%28"+a+"%29%20"+b+"-"+c)
	}
	out := make([]literal, 0, len(forms))
	for _, f := range forms {
		out = append(out, literal{text: f})
	}
	return out
}

func hashes(values ...string) []string {
	var out []string
	for _, v := range values {
		a, b, c := sha256.Sum256([]byte(v)), sha1.Sum([]byte(v)), md5.Sum([]byte(v))
		out = append(out, hex.EncodeToString(a[:]), hex.EncodeToString(b[:]), hex.EncodeToString(c[:]))
	}
	return out
}

// literals finds all literals of all needles in one pass over bytes, whose cost hardly
// grows with their number. A literal takes its own bytes and some hundred more; all
// objects that are read at once share them.
type literals struct {
	longest int // length of the longest literal
	window  int // how many first bytes of a literal are looked at first: 8, fewer where one is shorter
	// filter has the bits of the hashes of first bytes, 16 to 32 for each literal. It lets
	// few places pass where none begins, and fits a cache where the maps do not.
	filter []uint64
	shift  int
	// begin says how long the literals with these first bytes are: bit i stands for lengths[i],
	// the last bit for all that are beyond it, too.
	begin   map[uint64]uint64
	lengths []int
	first   map[string]int32 // by text: where its needles begin in of
	of      []spelt
}

// spelt is that a literal is one of a needle.
type spelt struct {
	needle uint32
	mail   bool
	next   int32 // another needle with a literal of this text; -1: none
}

// newLiterals spells out needles.
func newLiterals(needles []identity.Needle) *literals {
	l := &literals{window: 8, begin: map[uint64]uint64{}, first: map[string]int32{}}
	for i := range needles {
		for _, x := range spell(&needles[i]) {
			next, ok := l.first[x.text]
			if !ok {
				next = -1
			}
			l.first[x.text] = int32(len(l.of))
			l.of = append(l.of, spelt{needle: uint32(i), mail: x.mail, next: next})
		}
	}
	known := map[int]bool{}
	for text := range l.first {
		known[len(text)] = true
		l.window, l.longest = min(l.window, len(text)), max(l.longest, len(text))
	}
	for n := range known {
		l.lengths = append(l.lengths, n)
	}
	slices.Sort(l.lengths)
	size := max(bits.Len(uint(len(l.first)))+4, 12) // 2^size bits
	l.filter, l.shift = make([]uint64, 1<<size/64), 64-size
	for text := range l.first {
		at, _ := slices.BinarySearch(l.lengths, len(text))
		key := l.key([]byte(text))
		l.begin[key] |= 1 << min(at, 63)
		h := key * spread >> l.shift
		l.filter[h/64] |= 1 << (h % 64)
	}
	return l
}

// spread makes the high bits of a product depend on all bits of a key.
const spread = 0x9e3779b97f4a7c15

// key is the first bytes of text, which has as many.
func (l *literals) key(text []byte) uint64 {
	if len(text) >= 8 {
		return binary.LittleEndian.Uint64(text) << (64 - 8*l.window)
	}
	var b [8]byte
	copy(b[:], text)
	return binary.LittleEndian.Uint64(b[:]) << (64 - 8*l.window)
}

// find calls found for each needle of which a literal stands in text, bounded, at from
// or later, and which is not done; also more than once. What ends near the end of a text
// that is not the last waits for the bytes behind it. text is lower case.
func (l *literals) find(text []byte, from int, last bool, done func(needle uint32) bool, found func(needle uint32)) {
	if len(l.first) == 0 {
		return
	}
	escaped := -margin - 1 // where the last escape may have begun
	for at := max(0, from-margin); at+l.window <= len(text); at++ {
		if at > 0 {
			b := text[at-1]
			if b == '%' || b == '\\' {
				escaped = at - 1
			} else if word[b] && at-escaped > margin {
				continue // nothing that begins here is bounded
			}
		}
		if at < from {
			continue
		}
		key := l.key(text[at:])
		h := key * spread >> l.shift
		if l.filter[h/64]>>(h%64)&1 == 0 {
			continue
		}
		for left := l.begin[key]; left != 0; left &= left - 1 {
			i := bits.TrailingZeros64(left)
			until := i + 1
			if i == 63 {
				until = len(l.lengths)
			}
			for _, n := range l.lengths[i:until] {
				end := at + n
				if end > len(text) || !last && end+1 >= len(text) {
					break // as all that are longer
				}
				if end < len(text) && word[text[end]] {
					continue
				}
				head, ok := l.first[string(text[at:end])]
				if !ok {
					continue
				}
				for j := head; j >= 0; j = l.of[j].next {
					x := &l.of[j]
					if !done(x.needle) && !x.joinsBefore(text[:at]) && !x.joinsBehind(text[end:]) {
						found(x.needle)
					}
				}
			}
		}
	}
}

// word has the bytes that join any literal with what stands beside it.
var word = func() (t [256]bool) {
	for b := range t {
		t[b] = letterOrDigit(byte(b)) || b == '_'
	}
	return t
}()

func letterOrDigit(b byte) bool { return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' }

// joinsBefore reports whether what stands before the literal makes it part of
// something else. An escape does not: it stands for another character.
func (x *spelt) joinsBefore(text []byte) bool {
	if len(text) == 0 || escape.Match(text[max(0, len(text)-margin):]) {
		return false
	}
	b := text[len(text)-1]
	return letterOrDigit(b) || x.mail && bytes.IndexByte([]byte("._%+-"), b) >= 0 || !x.mail && b == '_'
}

// escape is one at the end of a text, lower case: of JSON or of a URL.
var escape = regexp.MustCompile(`(\\[nrtbf]|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|%(25)*[0-9a-f]{2})$`)

// joinsBehind is the same for what stands behind it.
func (x *spelt) joinsBehind(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	if word[text[0]] {
		return true
	}
	// The domain goes on: jane@example.com.evil.test is somebody else.
	return x.mail && (text[0] == '-' || text[0] == '.' && len(text) > 1 && letterOrDigit(text[1]))
}
