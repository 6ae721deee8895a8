package closure

import (
	"io"

	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// Renew writes the identities of a run to dst under the current work key, if they are
// under an older one. Those that the ledger remembers without values are digests,
// whose keys the ledger keeps.
func Renew(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
	again, err := (&spool.Box{Keys: r.Keys(), Purpose: purpose}).Renew(r, file, src, dst)
	return seal.Outcome{Again: again}, err
}
