package inflate

import "testing"

// Which sets of code lengths make a code is as in zlib; a stream whose block
// breaks the rule is corrupt, however well it seems to decode.
func TestBuild(t *testing.T) {
	for _, c := range []struct {
		name string
		lens []uint8
		want bool
	}{
		{"none", []uint8{0, 0, 0}, true},
		{"one of one bit", []uint8{0, 1}, true},
		{"one of two bits", []uint8{0, 2}, false},
		{"two of one bit", []uint8{1, 1}, true},
		{"complete", []uint8{1, 2, 3, 3}, true},
		{"incomplete", []uint8{1, 2, 3}, false},
		{"too many", []uint8{1, 2, 2, 3}, false},
		{"longest", []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15}, true},
		{"longest, incomplete", []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, false},
	} {
		var table [litSize]uint32
		if got := build(table[:], litBits, c.lens, &tables().lit); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	// A dynamic block must have a code for its end: nlit 257, ndist 1, and a code
	// length code that gives symbols 0 and 1 one bit each and 256 none.
	w := bitWriter{}
	w.put(1, 1) // final
	w.put(2, 2) // dynamic
	w.put(0, 5)
	w.put(0, 5)
	w.put(14, 4) // 18 code length codes, up to symbol 1
	for i := range 18 {
		// Order: 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1
		if i == 3 || i == 17 {
			w.put(1, 3)
		} else {
			w.put(0, 3)
		}
	}
	for i := range 258 { // literals 0 and 1 have one bit; nothing else has
		if i < 2 {
			w.put(1, 1)
		} else {
			w.put(0, 1)
		}
	}
	for range 100 {
		w.put(0, 8)
	}
	if got, err := raw(w.b, 4096); err != ErrCorrupt || len(got) != 0 {
		t.Errorf("block without an end: %d bytes, %v", len(got), err)
	}
}

type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) put(v, bits int) {
	for ; bits > 0; bits-- {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v&1) << (w.n % 8)
		v >>= 1
		w.n++
	}
}
