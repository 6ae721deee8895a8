package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"expunge/connectors"
)

func reply(w http.ResponseWriter, code int, name, message string) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>%s</Message></Error>`, name, message)
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		code          int
		name, message string
		want          error
	}{
		{503, "SlowDown", "", connectors.ErrTemporary},
		{500, "InternalError", "", connectors.ErrTemporary},
		{400, "RequestTimeout", "", connectors.ErrTemporary},
		{403, "AccessDenied", "Access Denied", connectors.ErrDenied},
		{403, "AccessDenied", "Access Denied because object protected by object lock.", connectors.ErrHeld},
		{403, "InvalidObjectState", "", connectors.ErrArchived},
		{404, "NoSuchKey", "", connectors.ErrNotFound},
		{404, "NoSuchVersion", "", connectors.ErrNotFound},
		{404, "NoSuchBucket", "", connectors.ErrNoStore},
		{412, "PreconditionFailed", "", connectors.ErrChanged},
		{409, "ConditionalRequestConflict", "", connectors.ErrTemporary},
		{501, "NotImplemented", "", connectors.ErrUnsupported},
	} {
		var n atomic.Int32
		s := remote(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			reply(w, c.code, c.name, c.message)
		}), nil)
		_, err := s.Open(t.Context(), connectors.Ref{Key: "dir/k", ETag: "e"}, connectors.All)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), "dir/k") {
			t.Errorf("%d %s: %v, want %v", c.code, c.name, err, c.want)
		}
		if n.Load() != 1 {
			t.Errorf("%d %s was asked %d times", c.code, c.name, n.Load())
		}
	}
}

// content serves body with ranges; each reply to a GET stops after breakAt bytes.
func content(body []byte, etag string, breakAt int, reset bool, gets *atomic.Int32) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gets.Add(1)
		var from, to int
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
		to = min(to+1, len(body))
		if m := r.Header.Get("If-Match"); gets.Load() > 1 && m != `"`+etag+`"` {
			reply(w, 412, "PreconditionFailed", "")
			return
		}
		w.Header().Set("ETag", `"`+etag+`"`)
		w.Header().Set("Content-Length", strconv.Itoa(to-from))
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(body)))
		w.WriteHeader(206)
		part := body[from:to]
		if len(part) > breakAt {
			_, _ = w.Write(part[:breakAt])
			w.(http.Flusher).Flush()
			if reset {
				panic(http.ErrAbortHandler)
			}
			return
		}
		_, _ = w.Write(part)
	})
}

func TestReadResumes(t *testing.T) {
	body := make([]byte, 2*minPart+12345)
	for i := range body {
		body[i] = byte(i * 7 >> 3)
	}
	for _, reset := range []bool{false, true} {
		var gets atomic.Int32
		s := remote(t, content(body, "e1", minPart/3, reset, &gets), nil)
		r, err := s.Open(t.Context(), connectors.Ref{Key: "k"}, connectors.All)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("reset %t: %d bytes, %v", reset, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		gets.Store(0)
		s = remote(t, content(body, "e1", 1000, reset, &gets), nil)
		r, err = s.Open(t.Context(), connectors.Ref{Key: "k"}, connectors.All)
		if err != nil {
			t.Fatal(err)
		}
		got, err = io.ReadAll(r)
		if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, connectors.ErrTemporary) || !bytes.HasPrefix(body, got) {
			t.Errorf("reset %t: a body that breaks for ever gave %d bytes and %v", reset, len(got), err)
		}
		r.Close()
	}
}

// The object changes under a read: part by part, and within a part.
func TestReadChanged(t *testing.T) {
	body := make([]byte, 3*minPart)
	for i, breakAt := range []int{minPart, 1000, minPart, 1000} {
		var gets atomic.Int32
		old, next := content(body, "e1", breakAt, false, &gets), content(body, "e2", 1<<30, false, &gets)
		s := remote(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if gets.Load() == 0 {
				old.ServeHTTP(w, r)
			} else {
				if i > 1 { // a server that does not look at the condition
					r.Header.Set("If-Match", `"e2"`)
				}
				next.ServeHTTP(w, r)
			}
		}), nil)
		r, err := s.Open(t.Context(), connectors.Ref{Key: "k"}, connectors.All)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); !errors.Is(err, connectors.ErrChanged) || len(got) > breakAt {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		r.Close()
	}
}

// A server may refuse to complete an upload inside a 200. The upload is given up.
func TestCompleteFailsInside200(t *testing.T) {
	for name, want := range map[string]error{"SlowDown": connectors.ErrTemporary, "InternalError": connectors.ErrTemporary, "PreconditionFailed": connectors.ErrExists} {
		var aborted atomic.Bool
		s := remote(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			q := r.URL.Query()
			switch {
			case r.Method == http.MethodPost && q.Has("uploads"):
				fmt.Fprint(w, `<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>`)
			case r.Method == http.MethodPut:
				w.Header().Set("ETag", `"p"`)
			case r.Method == http.MethodPost:
				if r.Header.Get("If-None-Match") != "*" {
					t.Error("the upload is completed without a condition")
				}
				reply(w, 200, name, "")
			case r.Method == http.MethodDelete && q.Get("uploadId") == "u1":
				aborted.Store(true)
				w.WriteHeader(204)
			}
		}), nil)
		_, err := s.Create(t.Context(), "k", bytes.NewReader(make([]byte, 2*minPart+1)))
		if !errors.Is(err, want) || !aborted.Load() {
			t.Errorf("%s: %v, aborted %t", name, err, aborted.Load())
		}
	}
}

// A server that ignores conditions is found out.
func TestProbeFindsOut(t *testing.T) {
	var content atomic.Pointer[[]byte]
	s := remote(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		q := r.URL.Query()
		w.Header().Set("ETag", `"e"`)
		switch {
		case q.Has("uploads"):
			fmt.Fprint(w, `<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>`)
		case q.Has("versions"):
			fmt.Fprint(w, `<ListVersionsResult></ListVersionsResult>`)
		case q.Has("list-type"):
			fmt.Fprint(w, `<ListBucketResult></ListBucketResult>`)
		case q.Has("uploadId") && r.Header.Get("X-Amz-Copy-Source") != "":
			fmt.Fprint(w, `<CopyPartResult><ETag>"p"</ETag></CopyPartResult>`)
		case q.Has("uploadId") && r.Method == http.MethodPost:
			fmt.Fprint(w, `<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>`)
		case q.Has("uploadId"):
		case r.Method == http.MethodPut:
			content.Store(&b)
		case r.Method == http.MethodDelete:
			content.Store(nil)
			w.WriteHeader(204)
		case content.Load() == nil:
			reply(w, 404, "NoSuchKey", "")
		default:
			_, _ = w.Write(*content.Load())
		}
	}), nil)
	c, err := s.Probe(t.Context(), "scratch/", "mine")
	if err != nil || c != (Conditions{}) {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestDeleteOfWhatWentMeanwhile has somebody else delete a version after it was looked
// at: a server that refuses its id then says as little as one that finds it gone.
func TestDeleteOfWhatWentMeanwhile(t *testing.T) {
	for _, c := range []struct {
		again int // status of the second look
		gone  bool
	}{{404, true}, {400, true}, {200, false}} {
		looks := 0
		s := remote(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodDelete:
				reply(w, 400, "InvalidArgument", "Invalid version id specified")
			case looks == 0:
				looks++
				w.Header().Set("ETag", `"e"`)
			default:
				looks++
				w.WriteHeader(c.again)
			}
		}), nil)
		err := s.Delete(t.Context(), connectors.Ref{Key: "dir/k", Version: "v1"})
		if err == nil || errors.Is(err, connectors.ErrNotFound) != c.gone || looks != 2 {
			t.Errorf("second look says %d: %v after %d looks", c.again, err, looks)
		}
	}
}

// A bucket that asks for MFA is known by what it says, or by its settings. Where it does
// not, a denial is one.
func TestDeleteAsksForMFA(t *testing.T) {
	for _, c := range []struct {
		message, set string
		want         error
	}{
		{"Mfa Authentication must be used for this request", "", connectors.ErrMFA},
		{"Access Denied", "<MfaDelete>Enabled</MfaDelete>", connectors.ErrMFA},
		{"Access Denied", "<MfaDelete>Disabled</MfaDelete>", connectors.ErrDenied},
		{"Access Denied", "", connectors.ErrDenied},
	} {
		s := remote(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodDelete:
				reply(w, 403, "AccessDenied", c.message)
			case r.Method == http.MethodHead:
				w.Header().Set("ETag", `"e"`)
			case r.URL.Query().Has("versioning"):
				fmt.Fprintf(w, `<VersioningConfiguration><Status>Enabled</Status>%s</VersioningConfiguration>`, c.set)
			default:
				reply(w, 404, "NoSuchObjectLockConfiguration", "")
			}
		}), nil)
		err := s.Delete(t.Context(), connectors.Ref{Key: "dir/k", Version: "v1", ETag: "e"})
		for _, kind := range []error{connectors.ErrMFA, connectors.ErrDenied} {
			if errors.Is(err, kind) != (kind == c.want) {
				t.Errorf("%q, %q: %v, want %v", c.message, c.set, err, c.want)
			}
		}
	}
}
