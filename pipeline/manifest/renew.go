package manifest

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"expunge/pipeline/seal"
)

// Renew writes an approval to dst under the current work key, if it is under an older
// one: its signature is not over that. A manifest stays as it is, since its digest is
// what was approved; that it is authentic is vouched for, and the keys of its digests
// and sealed URLs are kept.
func Renew(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
	b, err := io.ReadAll(src)
	if err != nil {
		return seal.Outcome{}, fmt.Errorf("read %s: %w", file, err)
	}
	if strings.Contains(file, "/approvals/") {
		return renewApproval(r, file, b, dst)
	}
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return seal.Outcome{}, fmt.Errorf("read %s: %w: %w", file, ErrForged, err)
	}
	b, err = m.authenticated()
	if err != nil {
		return seal.Outcome{}, err
	}
	stays, err := r.Vouch("manifest", b, m.MAC)
	if err != nil {
		return seal.Outcome{}, fmt.Errorf("%s: %w: %w", file, ErrForged, err)
	}
	if stays {
		for account := range m.Accounts {
			r.KeepDigests("record", account)
		}
		r.KeepDigests("object", "")
		r.KeepBoxes("object-url", "")
	}
	return seal.Outcome{Stays: stays}, nil
}

func renewApproval(r *seal.Rotation, file string, b []byte, dst io.Writer) (seal.Outcome, error) {
	a, err := decodeApproval(file, b)
	if err != nil {
		return seal.Outcome{}, err
	}
	var again bool
	if a.MAC, again, err = r.MAC("approval", a.authenticated(), a.MAC); err != nil {
		return seal.Outcome{}, fmt.Errorf("%s: %w: %w", file, ErrForged, err)
	}
	if !again {
		return seal.Outcome{}, nil
	}
	if b, err = a.encode(); err == nil {
		_, err = dst.Write(b)
	}
	return seal.Outcome{Again: true}, err
}
