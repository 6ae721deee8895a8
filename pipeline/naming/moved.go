package naming

import (
	"encoding/hex"
	"regexp"
	"strings"

	"expunge/pipeline"
)

// redacted is what Moved puts in the place of an identifier: letters alone, which no
// search takes for a number, an address or an id, and few patterns of keys cut.
var redacted = regexp.MustCompile(`^redacted[a-p]{32}$`)

// telling is from how many bytes on an identifier is looked for outside of its capture,
// too: shorter ones stand in many words.
const telling = 6

// Moved is the key of an object with keyed digests in the place of what Ref hides, under
// which what stays of it is kept. fill puts what it is told in the place of captures. The
// digests are of the identifier, of its account and of content, which says what is kept:
// only what holds the same has the same key, so that what is delivered again under the
// old key does not meet what was moved before. Whether the key fits its dataset, and
// hides all, is the caller's to find out.
func (n *Names) Moved(o *pipeline.Object, content string, fill func(func(capture, value string) string) (string, error)) (string, error) {
	key := n.Keys.Derive("moved-key", o.Account)
	hide := func(value string) string {
		sum, _ := hex.DecodeString(key.Digest([]byte(value + "\x00" + content))) // hex, always
		name := []byte("redacted")
		for _, b := range sum[:16] {
			name = append(name, 'a'+b>>4, 'a'+b&15)
		}
		return string(name)
	}
	var pairs []string
	filled, err := fill(func(capture, value string) string {
		if !n.Datasets[o.Dataset].Object[capture].Kind.Identifies() {
			return value
		}
		if len(value) >= telling {
			pairs = append(pairs, value, hide(value))
		}
		return hide(value)
	})
	if err != nil {
		return "", err
	}
	segments := strings.Split(strings.NewReplacer(pairs...).Replace(filled), "/")
	for i, s := range segments {
		if strings.Contains(s, "@") || strings.Contains(s, "%40") {
			segments[i] = hide(s)
			continue
		}
		segments[i] = n.maskNumbers(s, o, hide)
	}
	return strings.Join(segments, "/"), nil
}
