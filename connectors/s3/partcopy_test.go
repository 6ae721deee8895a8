package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"expunge/connectors"
)

// wire counts the bytes of bodies that are sent, and is told of each request before it goes.
type wire struct {
	client http.Client
	sent   atomic.Int64
	before func(*http.Request)
}

func newWire(t *testing.T) *wire {
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections) // the server waits for them when it ends
	return &wire{client: http.Client{Transport: transport}}
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	if w.before != nil {
		w.before(r)
	}
	if r.Method == http.MethodPut {
		w.sent.Add(r.ContentLength)
	}
	return w.client.Do(r)
}

// completes reports whether a request completes an upload in parts.
func completes(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func readAll(t *testing.T, s *Store, ref connectors.Ref) []byte {
	t.Helper()
	body, err := s.Open(t.Context(), ref, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Bytes that did not change are copied by the server. What is sent is what the spool
// has, and of the source what fills a part that would be below 5 MiB.
func TestUnchangedBytesStayOnTheServer(t *testing.T) {
	const mib = 1 << 20
	src, spool := random(22*mib), random(3*mib)
	for name, c := range map[string]struct {
		pieces        []connectors.Piece
		sent          int64
		parts, copied int64
	}{
		"a record out of the middle":       {[]connectors.Piece{{Len: 11 * mib}, {Off: 11*mib + 100, Len: 11*mib - 100}}, 0, 0, 2},
		"a record for another":             {[]connectors.Piece{{Len: 8 * mib}, {Spool: true, Len: 100}, {Off: 8*mib + 100, Len: 14*mib - 100}}, 5 * mib, 1, 2},
		"near the beginning":               {[]connectors.Piece{{Len: mib}, {Off: mib + 100, Len: 21*mib - 100}}, 5 * mib, 1, 1},
		"near the end":                     {[]connectors.Piece{{Len: 21 * mib}, {Off: 21*mib + 100, Len: mib - 100}}, mib - 100, 1, 1},
		"small pieces and their neighbour": {[]connectors.Piece{{Len: mib}, {Spool: true, Len: mib}, {Off: 2 * mib, Len: mib}, {Spool: true, Off: mib, Len: mib}, {Off: 4 * mib, Len: 18 * mib}}, 5 * mib, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			s := local(t, true, func(o *Options) { o.HTTPClient = w })
			old, err := s.Create(t.Context(), "dir/large", bytes.NewReader(src))
			if err != nil {
				t.Fatal(err)
			}
			look, err := dressed(s, "dir/large")
			if err != nil {
				t.Fatal(err)
			}
			was, err := look("dir/large")
			if err != nil {
				t.Fatal(err)
			}
			for o, err := range s.List(t.Context(), "dir/large") {
				if err != nil {
					t.Fatal(err)
				}
				old = o
			}
			var want []byte
			for _, p := range c.pieces {
				if p.Spool {
					want = append(want, spool[p.Off:p.Off+p.Len]...)
				} else {
					want = append(want, src[p.Off:p.Off+p.Len]...)
				}
			}
			w.sent.Store(0)
			before, begun := s.Calls(), 0
			got, err := s.Replace(t.Context(), old.Ref, connectors.Patch{Pieces: c.pieces, Spool: bytes.NewReader(spool), Begun: func(_ context.Context, id string) error {
				if begun++; id == "" || s.Calls().Part+s.Calls().Copy != before.Part+before.Copy {
					t.Error("an upload is told of too late, or without its id")
				}
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			calls := s.Calls()
			if n := w.sent.Load(); n != c.sent || calls.Part-before.Part != c.parts || calls.Copy-before.Copy != c.copied || calls.Put != before.Put || begun != 1 {
				t.Errorf("%d bytes are sent in %d parts, %d parts are copied, %d puts; want %d, %d, %d and none", n, calls.Part-before.Part, calls.Copy-before.Copy, calls.Put-before.Put, c.sent, c.parts, c.copied)
			}
			if !bytes.Equal(readAll(t, s, got.Ref), want) {
				t.Error("it is not what the patch says")
			}
			if now, err := look("dir/large"); err != nil || now != was {
				t.Errorf("what stands beside the bytes was %q and is %q, %v", was, now, err)
			}
			if left, err := s.Uploads(t.Context(), "dir/large"); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// An object that changes before its parts are copied, or between that and the end, is
// the other writer's; nothing is left of the upload. So it is of one that fails.
func TestPartsOfAnObjectThatChanges(t *testing.T) {
	const mib = 1 << 20
	src := random(12 * mib)
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		at   func(*http.Request) bool // another writer comes right before this
		fail error                    // of whoever is told of the upload
		want error
	}{
		"before a part is copied": {func(r *http.Request) bool { return r.Header.Get("X-Amz-Copy-Source") != "" }, nil, connectors.ErrChanged},
		"before the end":          {completes, nil, connectors.ErrChanged},
		"the caller gives up":     {func(*http.Request) bool { return false }, broken, broken},
	} {
		w := newWire(t)
		s := local(t, false, func(o *Options) { o.HTTPClient = w })
		old, err := s.Create(t.Context(), "k", bytes.NewReader(src))
		if err != nil {
			t.Fatal(err)
		}
		came := false
		w.before = func(r *http.Request) {
			if !came && c.at(r) {
				came = true
				if _, err := server.Client().PutObject(t.Context(), &s3.PutObjectInput{Bucket: s.bucket(), Key: aws.String("k"), Body: strings.NewReader("another's")}); err != nil {
					t.Error(err)
				}
			}
		}
		_, err = s.Replace(t.Context(), old.Ref, connectors.Patch{Pieces: []connectors.Piece{{Len: 6 * mib}, {Off: 6*mib + 1, Len: 6*mib - 1}}, Begun: func(context.Context, string) error { return c.fail }})
		if !errors.Is(err, c.want) || came != (c.fail == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		w.before = nil
		if b := readAll(t, s, connectors.Ref{Key: "k"}); came != (string(b) == "another's") || !came && !bytes.Equal(b, src) {
			t.Errorf("%s: there are %d bytes", name, len(b))
		}
		if left, err := s.Uploads(t.Context(), "k"); err != nil || len(left) > 0 {
			t.Errorf("%s: left: %v, %v", name, left, err)
		}
	}
}
