package waive

import (
	"encoding/json"
	"fmt"
	"io"

	"expunge/pipeline/naming"
	"expunge/pipeline/seal"
)

// Renew writes a waiver to dst under the current work key, if it is under an older one.
func Renew(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
	w := new(Waiver)
	b, err := io.ReadAll(src)
	if err != nil {
		return seal.Outcome{}, fmt.Errorf("read %s: %w", file, err)
	}
	if err := json.Unmarshal(b, w); err != nil {
		return seal.Outcome{}, fmt.Errorf("%s: %w: %w", file, ErrForged, err)
	}
	var again bool
	if w.MAC, again, err = r.MAC("waiver", w.authenticated(), w.MAC); err != nil {
		return seal.Outcome{}, fmt.Errorf("%s: %w: %w", file, ErrForged, err)
	}
	if !again {
		return seal.Outcome{}, nil
	}
	if w.ObjectSealed != "" {
		if w.ObjectSealed, err = naming.RenewPattern(r, w.ObjectSealed); err != nil {
			return seal.Outcome{}, fmt.Errorf("%s: %w: %w", file, ErrForged, err)
		}
		w.MAC = r.Keys().Authenticate("waiver", w.authenticated())
	}
	if b, err = w.encode(); err == nil {
		_, err = dst.Write(b)
	}
	return seal.Outcome{Again: true}, err
}
