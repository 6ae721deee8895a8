package catalog

import (
	"fmt"
	"io"
	"strings"

	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// KeyName is the file of the key that tokens are hashed under. It is random, and
// wrapped by the work key.
const KeyName = "catalog/key"

// KeyPurpose is that of its wrapping.
const KeyPurpose = "catalog"

// Renew writes a file of the catalog to dst under the current work key, if it is under
// an older one. Filters are under no key but that of the tokens.
func Renew(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error) {
	if strings.HasPrefix(file, "catalog/index/") {
		again, err := (&spool.Box{Keys: r.Keys(), Purpose: "catalog"}).Renew(r, file, src, dst)
		return seal.Outcome{Again: again}, err
	}
	b, err := io.ReadAll(src)
	if err != nil {
		return seal.Outcome{}, fmt.Errorf("read %s: %w", file, err)
	}
	var again bool
	switch {
	case file == KeyName:
		b, again, err = r.WrappedKey(KeyPurpose, b)
	case strings.HasPrefix(file, "catalog/pools/"):
		b, again, err = r.Box(poolsPurpose, "", b, file)
	default:
		b, again, err = r.Document(seal.Document{Purpose: "catalog", File: file}, b)
	}
	if err != nil {
		return seal.Outcome{}, fmt.Errorf("read %s: %w", file, err)
	}
	if !again {
		return seal.Outcome{}, nil
	}
	_, err = dst.Write(b)
	return seal.Outcome{Again: true}, err
}
