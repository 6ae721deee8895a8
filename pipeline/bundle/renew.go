package bundle

import (
	"encoding/json"
	"fmt"
	"io"

	"expunge/pipeline/seal"
)

// Renew writes a bundle.json to dst under the current work key, if it is under an older
// one. The files of a sealed bundle stay as they are, under keys of the request's own
// which derive from the older work key and are kept: a bundle is there for a time only.
func Renew(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
	b, err := io.ReadAll(src)
	if err != nil {
		return seal.Outcome{}, fmt.Errorf("read %s: %w", file, err)
	}
	of, err := requestOf(file)
	if err != nil {
		return seal.Outcome{}, err
	}
	b, again, err := r.Document(document(of, file), b)
	if err != nil {
		return seal.Outcome{}, err
	}
	var index Index
	if err := json.Unmarshal(b, &index); err != nil {
		return seal.Outcome{}, fmt.Errorf("read %s: %w", file, err)
	}
	ref := of.String()
	out := seal.Outcome{Again: again, Stays: index.Encryption == SealedParquet && index.KeyID != r.Keys().Derive(keyPurpose, ref).ID()}
	if out.Stays {
		r.KeepDigests(keyPurpose, ref)
		r.KeepDigests(noncePurpose, ref)
		r.KeepBoxes(keyPurpose, ref)
	}
	if again {
		_, err = dst.Write(b)
	}
	return out, err
}
