package decision

import (
	"fmt"
	"io"
	"strings"

	"expunge/pipeline/seal"
)

// Renew writes a file of decisions to dst under the current work key, if it is under
// an older one. Its digests of records and ids of objects stay: their keys are kept.
func Renew(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
	account, _, _ := strings.Cut(strings.TrimPrefix(file, root), "/")
	r.KeepDigests("record", account)
	r.KeepDigests("object", "")
	b, err := io.ReadAll(src)
	if err != nil {
		return seal.Outcome{}, fmt.Errorf("read %s: %w", file, err)
	}
	b, again, err := r.Document(seal.Document{Purpose: purpose, Account: account, File: file}, b)
	if err != nil || !again {
		return seal.Outcome{}, err
	}
	_, err = dst.Write(b)
	return seal.Outcome{Again: true}, err
}
