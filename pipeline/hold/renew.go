package hold

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"expunge/pipeline/naming"
	"expunge/pipeline/seal"
)

// Renew writes a hold, its identifiers or its removal to dst under the current work key, if it is
// under an older one. Its digests of identifiers stay: their keys are kept.
func Renew(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
	b, err := io.ReadAll(src)
	if err != nil {
		return seal.Outcome{}, fmt.Errorf("read %s: %w", file, err)
	}
	var h Hold
	var ids sealed
	var over Removal
	var again bool
	var v any = &h
	switch {
	case strings.HasSuffix(file, "/removed.json"):
		v = &over
	case strings.HasSuffix(file, "/identifiers.json"):
		v = &ids
	}
	if err := json.Unmarshal(b, v); err != nil {
		return seal.Outcome{}, fmt.Errorf("%s: %w: %w", file, ErrForged, err)
	}
	switch v {
	case &over:
		over.MAC, again, err = r.MAC("hold-removal", over.authenticated(), over.MAC)
	case &ids:
		again, err = ids.renew(r)
	default:
		h.MAC, again, err = r.MAC("hold", h.authenticated(), h.MAC)
		r.KeepDigests("hold", h.Account)
	}
	if err != nil {
		return seal.Outcome{}, fmt.Errorf("%s: %w: %w", file, ErrForged, err)
	}
	if !again {
		return seal.Outcome{}, nil
	}
	if h.ObjectSealed != "" {
		if h.ObjectSealed, err = naming.RenewPattern(r, h.ObjectSealed); err != nil {
			return seal.Outcome{}, fmt.Errorf("%s: %w: %w", file, ErrForged, err)
		}
		h.MAC = r.Keys().Authenticate("hold", h.authenticated())
	}
	if b, err = encode(v); err == nil {
		_, err = dst.Write(b)
	}
	return seal.Outcome{Again: true}, err
}
