package journal

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"expunge/pipeline/seal"
)

// Renew vouches for a segment or root that is under an older work key: segments are
// chained by digests over all of them, and stay. What was lost with old versions is
// written to dst under the current key.
func Renew(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
	b, err := io.ReadAll(src)
	if err != nil {
		return seal.Outcome{}, fmt.Errorf("read %s: %w", file, err)
	}
	forged := func(err error) (seal.Outcome, error) {
		return seal.Outcome{}, fmt.Errorf("%s: %w: %w", file, ErrForged, err)
	}
	switch {
	case strings.Contains(file, "/versions-lost/"):
		b, again, err := r.Document(seal.Document{Purpose: spentPurpose, File: file}, b)
		if err != nil || !again {
			return seal.Outcome{}, err
		}
		_, err = dst.Write(b)
		return seal.Outcome{Again: true}, err
	case strings.HasSuffix(file, "/root.json"):
		var x root
		if err := json.Unmarshal(b, &x); err != nil {
			return forged(err)
		}
		mac := x.MAC
		x.MAC = ""
		b, _ = json.Marshal(x) // plain strings and numbers
		stays, err := r.Vouch("journal-root", b, mac)
		if err != nil {
			return forged(err)
		}
		return seal.Outcome{Stays: stays}, nil
	}
	content, mac, err := split(b)
	if err != nil {
		return forged(err)
	}
	stays, err := r.Vouch("journal", content, mac)
	if err != nil {
		return forged(err)
	}
	return seal.Outcome{Stays: stays}, nil
}
