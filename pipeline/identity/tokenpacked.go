package identity

// maxPacked is the longest digest in base64, without padding: that of SHA-256.
const maxPacked = 43

// packed emits the token of what may be a digest in base64, by its length, and ends at
// hi. Where it is a word with a digit that has a token already; without one it would
// have none, nor where signs leave no piece of it that is such a word.
func (t *tokenizer) packed(b []byte, hi int) {
	l := &t.layout
	lo := l.word.begin(hi)
	if digestLen(hi-lo) && !l.digit.any(lo, hi) {
		t.emit(t.h.text(seedWord, b[lo:hi]), packedToken, lo, hi)
	}
	word := lo
	if l.join.at(hi)&1 == 1 {
		return // it goes on
	}
	for lo > 0 && hi-lo <= maxPacked && l.join.at(lo-1)&1 == 1 {
		lo = l.word.begin(lo - 1)
	}
	if lo < word && digestLen(hi-lo) {
		t.emit(t.h.text(seedWord, b[lo:hi]), packedToken, lo, hi)
	}
}

// digestLen reports whether n bytes are a digest in base64: of MD5, SHA-1 or SHA-256.
func digestLen(n int) bool { return n == 22 || n == 27 || n == maxPacked }
