package identity

import "expunge/pipeline"

// Writing is one way a needle can be written, as the ledger keeps it: what prompts
// a look, and what would be found there. Text never leaves the process; the ledger
// keeps its keyed digest.
type Writing struct {
	Token  uint64 // under the catalog key and TokenizerVersion: it prompts a look
	Bucket uint8  // of the token, in the tables of a Set
	What   uint8  // how the form is confirmed
	Off    uint16 // of the token within Text, where Text is found by its place
	Digest bool   // Text is a digest of the value as it stands in a lake, not the value
	Text   pipeline.Secret
}

// Writings lists all writings of a needle, the canonical, hashed and linking ones. A
// name has none: it never makes a candidate.
func Writings(key Key, n Needle) []Writing {
	if n.Canon.Kind == pipeline.Name {
		return nil
	}
	c := &compiler{h: key.hasher()}
	c.t.h = c.h
	var out []Writing
	for _, r := range c.forms(0, n) {
		f := c.all[r.form]
		w := Writing{Token: r.token, Bucket: r.bucket, What: uint8(f.what), Off: f.off, Text: n.Canon.Value}
		switch f.what {
		case asDigest:
			w.Digest, w.Text = true, pipeline.Secret(f.digest.text(writing(n.Canon, f.digest.of)))
		case asText: // as the decoder shows it
			w.Text = pipeline.Secret(c.d.decode([]byte(n.Canon.Value.Reveal())))
		}
		out = append(out, w)
	}
	return out
}
