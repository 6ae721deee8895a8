package intake

import (
	"fmt"
	"io"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/seal"
)

// Renew writes a request or an event to dst under the current work key, if it is
// under an older one.
func Renew(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
	parts := strings.Split(strings.TrimSuffix(file, ".json"), "/")
	if len(parts) < 3 {
		return seal.Outcome{}, fmt.Errorf("%s is no file of a request: %w", file, seal.ErrForged)
	}
	ref := pipeline.RequestRef{Account: parts[1], ID: parts[2]}
	b, err := io.ReadAll(src)
	if err != nil {
		return seal.Outcome{}, fmt.Errorf("read %s: %w", file, err)
	}
	d := document(ref, file)
	b, again, err := r.Document(d, b)
	if err == nil && file == key(ref) {
		var identifiers bool
		if b, identifiers, err = renewIdentifiers(r, d, ref, b); identifiers {
			again = true
		}
	}
	if err != nil || !again {
		return seal.Outcome{}, err
	}
	_, err = dst.Write(b)
	return seal.Outcome{Again: true}, err
}

// renewIdentifiers seals the values of a request's identifiers under the current key.
func renewIdentifiers(r *seal.Rotation, d seal.Document, ref pipeline.RequestRef, b []byte) ([]byte, bool, error) {
	var st stored
	if err := r.Keys().Read(d, b, &st); err != nil {
		return nil, false, err
	}
	some := false
	for i := range st.Identifiers {
		id := &st.Identifiers[i]
		text, again, err := r.Text("request", ref.Account, id.Sealed, ref.ID, string(id.Kind))
		if err != nil {
			return nil, false, fmt.Errorf("read request %s: identifiers[%d]: %w", ref, i, err)
		}
		id.Sealed, some = text, some || again
	}
	if !some {
		return b, false, nil
	}
	b, err := r.Keys().Write(d, st)
	return b, true, err
}
