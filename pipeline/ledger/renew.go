package ledger

import (
	"io"

	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// Renew writes a file of the ledger to dst under the current work key, if it is under
// an older one. What it remembers are digests: nobody has the values any more, so the
// keys of the digests are kept.
func Renew(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
	ref, err := RequestOf(file)
	if err != nil {
		return seal.Outcome{}, err
	}
	r.KeepDigests(Purpose, ref.Account)
	r.KeepDigests("record", ref.Account)
	r.KeepDigests(tokensPurpose, "")
	again, err := (&spool.Box{Keys: r.Keys(), Purpose: Purpose}).Renew(r, file, src, dst)
	return seal.Outcome{Again: again}, err
}
