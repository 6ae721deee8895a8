package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// harm is what becomes of one request to a server.
type harm int

const (
	none       harm = iota
	slowDown        // 503 SlowDown, and the server has not heard of it
	internal        // 500 InternalError, the same
	lostBefore      // the connection breaks before the server hears of it
	lostAfter       // the server has acted; its reply is lost
	cutShort        // the reply breaks off in the middle of its body; without one, it is lost
	dieBefore       // the program dies before the server hears of it
	dieAfter        // the program dies; the server has acted
)

func (h harm) String() string {
	return [...]string{"none", "503", "500", "connection lost before", "reply lost", "body cut short", "killed before", "killed after"}[h]
}

// dies reports whether the program is dead from there on.
func (h harm) dies() bool { return h == dieBefore || h == dieAfter }

// proxy stands between the program and an S3 server. It numbers the requests, writes
// them down, and does harm to one of them. Nothing of what it passes on is another
// than it was.
type proxy struct {
	t        *testing.T
	upstream string
	server   *httptest.Server
	direct   http.RoundTripper

	busy  sync.RWMutex // held while a request is worked on
	mu    sync.Mutex
	lines []string // of the requests since reset
	at    int      // which of them comes to harm; 0: none
	harm  harm
	done  bool               // it has
	no    int                // requests whose conditions the server found broken, probes apart
	dead  bool               // every request fails
	kill  context.CancelFunc // of the program
	// absent tells of a request with a condition whether its key has no object now: S3
	// then answers 404, also where a delete marker is current; versitygw takes the marker for
	// an object that fits. nil: nobody asks.
	absent func(r *http.Request) bool
	ahead  func(n int, r *http.Request) // is told of a request before it is passed on; nil: nobody
}

func newProxy(t *testing.T, endpoint string) *proxy {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	direct := &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true}
	p := &proxy{t: t, upstream: u.Host, direct: direct}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(func() {
		p.server.Close()
		direct.CloseIdleConnections()
	})
	return p
}

// reset begins to count anew; request n comes to harm.
func (p *proxy) reset(n int, h harm, kill context.CancelFunc) {
	p.busy.Lock() // what the server has heard, it has done
	defer p.busy.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines, p.at, p.harm, p.done, p.no, p.dead, p.kill, p.ahead = nil, n, h, false, 0, false, kill, nil
}

// next numbers a request and says what becomes of it.
func (p *proxy) next(r *http.Request) (int, harm, func(int, *http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return 0, dieBefore, nil
	}
	p.lines = append(p.lines, shown(r))
	n := len(p.lines)
	if n != p.at {
		return n, none, p.ahead
	}
	p.done, p.dead = true, p.harm.dies()
	return n, p.harm, p.ahead
}

// shown is a request on one line.
func shown(r *http.Request) string {
	s := r.Method + " " + r.URL.Path
	q := r.URL.Query()
	for _, k := range []string{"uploads", "uploadId", "partNumber", "versions", "versionId", "tagging", "acl", "list-type"} {
		if q.Has(k) {
			s += " " + k
		}
	}
	if r.Header.Get("X-Amz-Copy-Source") != "" {
		s += " copy"
	}
	for _, k := range []string{"If-Match", "If-None-Match"} {
		if r.Header.Get(k) != "" {
			s += " " + k
		}
	}
	return s
}

func (p *proxy) serve(w http.ResponseWriter, r *http.Request) {
	p.busy.RLock()
	defer p.busy.RUnlock()
	n, h, ahead := p.next(r)
	if ahead != nil {
		ahead(n, r)
	}
	switch h {
	case slowDown, internal:
		_, _ = io.Copy(io.Discard, r.Body)
		status, code := http.StatusServiceUnavailable, "SlowDown"
		if h == internal {
			status, code = http.StatusInternalServerError, "InternalError"
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>injected</Message></Error>`, code)
		}
		return
	case lostBefore, dieBefore:
		p.hangUp(w, h)
		return
	}
	if p.absent != nil && r.Header.Get("If-Match") != "" && p.absent(r) {
		_, _ = io.Copy(io.Discard, r.Body)
		p.mu.Lock()
		p.no++
		p.mu.Unlock()
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>`)
		return
	}
	out, err := p.forward(r)
	if err != nil {
		p.hangUp(w, none) // the program has gone away, perhaps
		return
	}
	body, err := io.ReadAll(out.Body)
	out.Body.Close()
	if err != nil {
		p.hangUp(w, none)
		return
	}
	if h == lostAfter || h == dieAfter || h == cutShort && len(body) < 2 {
		p.hangUp(w, h)
		return
	}
	if out.StatusCode == http.StatusPreconditionFailed && !strings.Contains(r.URL.Path, scratch) {
		p.mu.Lock()
		p.no++
		p.mu.Unlock()
	}
	for k, v := range out.Header {
		w.Header()[k] = v
	}
	if r.Method != http.MethodHead && out.StatusCode != http.StatusNoContent && out.StatusCode != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(out.StatusCode)
	if h == cutShort {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		p.hangUp(w, h)
		return
	}
	_, _ = io.Copy(w, bytes.NewReader(body))
}

// forward asks the server. The host is signed, and so it stays what the program has
// called this one.
func (p *proxy) forward(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if p.harm.dies() { // what the server has heard, it does, whatever becomes of who asked
		ctx = context.WithoutCancel(ctx)
	}
	out := r.Clone(ctx)
	out.RequestURI, out.URL.Scheme, out.URL.Host = "", "http", p.upstream
	out.Header.Del("Expect")
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return p.direct.RoundTrip(out)
}

// hangUp breaks the connection; the program may die of it.
func (p *proxy) hangUp(w http.ResponseWriter, h harm) {
	if h.dies() {
		p.mu.Lock()
		kill := p.kill
		p.mu.Unlock()
		if kill != nil {
			kill()
		}
	}
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, not an end
	}
	c.Close()
}

// requests are those since reset.
func (p *proxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

// harmed reports whether harm was done.
func (p *proxy) harmed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// refusals counts requests whose conditions the server found broken.
func (p *proxy) refusals() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.no
}

// conditional reports whether a request changes something of the lake under a condition.
func conditional(line string) bool {
	method, _, _ := strings.Cut(line, " ")
	return method != http.MethodGet && method != http.MethodHead && strings.Contains(line, "If-Match")
}
