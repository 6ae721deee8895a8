package identity

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"expunge/pipeline"
)

// Digested appends the digest that a leaf of a matched record is, where its field is
// declared to hold the consumer's phone or address. Whose it is nobody can tell by itself.
func (f *Finder) Digested(dst []pipeline.Digested, path string, value []byte) []pipeline.Digested {
	d := f.field(path)
	if d == nil || d.Party != pipeline.Consumer || d.Text || d.Kind != pipeline.Phone && d.Kind != pipeline.Email {
		return dst
	}
	text, ok := inPattern(d, value)
	if !ok {
		return dst
	}
	form, sum := readDigest(strings.TrimSpace(text))
	if form == "" {
		return dst
	}
	return append(dst, pipeline.Digested{Kind: d.Kind, Field: d.Path, Form: form, Value: sum})
}

// readDigest tells in which form a text is a digest ("" if it is none), and which.
func readDigest(text string) (form, sum string) {
	for alg, size := range [...]int{32, 20, 16} {
		if len(text) == hex.EncodedLen(size) {
			if b, err := hex.DecodeString(text); err == nil {
				return algorithms[alg] + " hex", hex.EncodeToString(b)
			}
		}
		bare := strings.TrimRight(text, "=")
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if len(bare) == e.EncodedLen(size) && strings.ContainsAny(bare, "0123456789+/-_ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
				if b, err := e.DecodeString(bare); err == nil {
					return algorithms[alg] + " base64", hex.EncodeToString(b)
				}
			}
		}
	}
	return "", ""
}

// Sums are the digests of an identifier's writings, in hex: all that the lake may hold of
// it, of a number also as it is dialled in its country. There are none of what is itself given as a digest.
func (c Canon) Sums() []string {
	if c.Kind != pipeline.Phone && c.Kind != pipeline.Email || c.Hashed() {
		return nil
	}
	var sums []string
	for of := range uint8(len(phoneWritings)) {
		if s := writing(c, of); s != "" {
			for alg := range algorithms {
				sums = append(sums, digestForm{alg: uint8(alg), enc: encHex}.text(s))
			}
		}
	}
	slices.Sort(sums)
	return slices.Compact(sums)
}
