package s3

import (
	"errors"
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

// Where something beside the bytes may not be read or written, nothing is written, and
// what has to be allowed is named.
func TestReplaceDenied(t *testing.T) {
	const tagged = `<Tagging><TagSet><Tag><Key>team</Key><Value>blue</Value></Tag></TagSet></Tagging>`
	for denied, want := range map[string]string{
		"":        "",
		"tagging": "s3:GetObjectTagging, s3:GetObjectVersionTagging",
		"acl":     "s3:GetObjectAcl, s3:GetObjectVersionAcl",
		"PUT":     "s3:PutObject, s3:PutObjectTagging",
		"DELETE":  "s3:DeleteObject",
		"version": "s3:DeleteObjectVersion",
	} {
		written := false
		s := remote(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("ETag", `"e"`)
			q := r.URL.Query()
			switch {
			case denied != "" && (q.Has(denied) || r.Method == denied), denied == "version" && r.Method == http.MethodDelete:
				reply(w, 403, "AccessDenied", "Access Denied")
			case r.Method == http.MethodPut, r.Method == http.MethodDelete:
				written = true
			case q.Has("tagging"):
				fmt.Fprint(w, tagged)
			case q.Has("acl"):
				reply(w, 501, "NotImplemented", "")
			case q.Has("list-type"):
				fmt.Fprint(w, `<ListBucketResult><Contents><Key>k</Key><ETag>"e"</ETag></Contents></ListBucketResult>`)
			case r.Method == http.MethodGet:
				reply(w, 404, "NoSuchConfiguration", "")
			}
		}), nil)
		var err error
		switch denied {
		case "DELETE":
			err = s.Delete(t.Context(), connectors.Ref{Key: "k", ETag: "e"})
		case "version":
			err = s.Delete(t.Context(), connectors.Ref{Key: "k", Version: "v1", ETag: "e"})
		default:
			_, err = s.Replace(t.Context(), connectors.Ref{Key: "k", ETag: "e"}, connectors.Patch{})
		}
		var says *connectors.DeniedError
		if want == "" {
			if err != nil || !written {
				t.Errorf("nothing is denied: %v", err)
			}
		} else if !errors.As(err, &says) || strings.Join(says.Allow, ", ") != want || !errors.Is(err, connectors.ErrDenied) || written {
			t.Errorf("%s denied: %v, want %s (written %t)", denied, err, want, written)
		}
		set, err := s.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(set.Denied, ", "); (denied == "tagging" || denied == "acl") && got != want || denied == "" && got != "" {
			t.Errorf("%s denied: the check names %q, want %q", denied, got, want)
		}
	}
}
