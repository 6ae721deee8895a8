package s3

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"expunge/connectors"
)

// A retention that has ended is not carried on: servers refuse a date that is past.
// One that has not stays.
func TestReplaceUnderRetention(t *testing.T) {
	for until, carried := range map[string]bool{"2001-01-01T00:00:00Z": false, "2999-01-01T00:00:00Z": true} {
		written := false
		s := remote(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("ETag", `"e"`)
			switch {
			case r.Method == http.MethodHead:
				w.Header().Set("Content-Length", "0")
				w.Header().Set("X-Amz-Object-Lock-Mode", "COMPLIANCE")
				w.Header().Set("X-Amz-Object-Lock-Retain-Until-Date", until)
			case r.Method == http.MethodPut:
				written = true
				if got := r.Header.Get("X-Amz-Object-Lock-Mode") + r.Header.Get("X-Amz-Object-Lock-Retain-Until-Date"); (got != "") != carried || carried && !strings.HasPrefix(got, "COMPLIANCE2999") {
					t.Errorf("until %s: it is written with %q", until, got)
				}
			default:
				fmt.Fprint(w, `<Tagging><TagSet></TagSet></Tagging>`)
			}
		}), nil)
		if _, err := s.Replace(t.Context(), connectors.Ref{Key: "k", ETag: "e"}, connectors.Patch{}); err != nil || !written {
			t.Errorf("until %s: %v", until, err)
		}
	}
}
