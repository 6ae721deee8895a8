package naming

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// ErrNoStore says that an object lies in no store of the config.
var ErrNoStore = errors.New("no store of the config holds it")

// Resolve says which store and key an object of an output is: its URL as shown or,
// where sealed is given, the one that is sealed there. It is the inverse of Ref.
func (n *Names) Resolve(shown string, sealed *string) (store, key string, err error) {
	full := shown
	if sealed != nil {
		box, err := base64.StdEncoding.DecodeString(*sealed)
		if err != nil {
			return "", "", fmt.Errorf("resolve %s: its sealed URL is not base64", shown)
		}
		plain, err := n.Keys.Unseal("object-url", "", box)
		if err != nil {
			return "", "", fmt.Errorf("resolve %s: %w", shown, err)
		}
		full = string(plain)
	}
	best := -1
	for name, base := range n.URLs {
		base = strings.TrimSuffix(base, "/") + "/"
		if strings.HasPrefix(full, base) && len(base) > best {
			best, store, key = len(base), name, full[len(base):]
		}
	}
	if best < 0 {
		return "", "", fmt.Errorf("resolve %s: %w", shown, ErrNoStore)
	}
	segments := strings.Split(key, "/")
	for i, s := range segments {
		if segments[i], err = url.PathUnescape(s); err != nil {
			return "", "", fmt.Errorf("resolve %s: its URL is not percent-encoded as it should be", shown)
		}
	}
	return store, strings.Join(segments, "/"), nil
}
