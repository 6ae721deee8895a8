package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/ledger"
	"expunge/pipeline/manifest"
	"expunge/pipeline/seal"
	"expunge/pipeline/verify"
	"expunge/scanners"
	"expunge/scanners/avro"
	"expunge/scanners/compress"
	"expunge/scanners/csv"
	"expunge/scanners/detect"
	"expunge/scanners/json"
	"expunge/scanners/jsonl"
	"expunge/scanners/media"
	"expunge/scanners/parquet"
	"expunge/scanners/text"
)

// Whose traces are looked for.
const (
	phone = "+14045550123"
	email = "ann@example.com"
	visit = "6d92078a-8246-4ba4-ae5b-76104861e7dc"
)

var (
	who    = pipeline.RequestRef{Account: "acme", ID: "R-1"}
	cutoff = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
)

// world is a lake after an erasure: what lies in it, and the tombstones that were
// applied. Its stores, scanners, finders and keys are the program's own.
type world struct {
	t       *testing.T
	lake    *mem.Store
	keys    *seal.Keys
	rows    map[string][]*manifest.Row // by key
	v       *verify.Verify
	needles []identity.Needle
	asks    [][]pipeline.Ask
	chunk   int // how the raw search gets its bytes; 0: as they come

	identifying bool
	captures    map[string]string
	account     string // that keys name
}

func newWorld(t *testing.T, versions bool) *world {
	t.Helper()
	keys, err := seal.Open(bytes.Repeat([]byte{9}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, lake: mem.New("lake", mem.Options{Versions: versions}), keys: keys, rows: map[string][]*manifest.Row{}, account: "acme"}
	for kind, value := range map[pipeline.Kind]string{pipeline.Phone: phone, pipeline.Email: email, pipeline.Visitor: visit} {
		w.ask(kind, value, pipeline.Ask{Request: who})
	}
	w.v = &verify.Verify{
		NotRead: func(string, string, string) bool { return false },
		Stores:  map[string]connectors.Store{"lake": w.lake},
		Formats: map[string]scanners.Scanner{
			"jsonl": jsonl.Scanner{}, "json": json.Scanner{}, "csv": csv.New(), "parquet": parquet.New(), "text": text.Scanner{}, "media": media.Scanner{}, "avro": avro.Scanner{},
		},
		Detect: head,
		Datasets: []pipeline.Dataset{{
			Name: "calls", Format: "auto", Time: "at", Search: true, Erase: pipeline.Erasure{Action: pipeline.EraseRecord},
			Fields: []pipeline.Field{
				{Path: "phone", Kind: pipeline.Phone}, {Path: "email", Kind: pipeline.Email}, {Path: "note", Text: true},
				{Path: "agent", Kind: pipeline.Email, Party: pipeline.Agent}, {Path: "visitor", Kind: pipeline.Visitor, Link: true},
			},
			Object: map[string]pipeline.Field{"number": {Path: identity.KeyPath, Kind: pipeline.Phone}},
		}},
		Accounts: map[string]string{"acme": "acme", "beta": "beta"}, Keys: keys,
		Plain:   w.plain,
		Cutoff:  func(pipeline.RequestRef) int64 { return cutoff.UnixMilli() },
		Applied: func(*manifest.Row) bool { return true },
		Keeps:   func(string, *pipeline.Dataset, string) bool { return false },
		Done:    func(string, string) (verify.Counts, bool) { return verify.Counts{}, true },
		Uploads: func(string) bool { return false },
		Idle:    cutoff,
	}
	return w
}

// ask adds something to look for.
func (w *world) ask(kind pipeline.Kind, value string, ask pipeline.Ask) {
	w.t.Helper()
	canon, err := identity.Normalise(kind, pipeline.Secret(value), "US")
	if err != nil {
		w.t.Fatal(err)
	}
	w.needles, w.asks = append(w.needles, identity.Needle{Account: ask.Request.Account, Canon: canon}), append(w.asks, []pipeline.Ask{ask})
}

// head tells a format by content, as the program does.
func head(ctx context.Context, in scanners.Input) (string, error) {
	body, err := in.Open(ctx, 0, 4*detect.HeadSize)
	if err != nil {
		return "", err
	}
	defer body.Close()
	stream, _, err := compress.Open(body)
	if err != nil {
		return "", compress.Refuse(ctx, in.Name, err)
	}
	defer stream.Close()
	b, _ := stream.Next() // what cannot be read, the scan will judge
	return detect.Format(b[:min(len(b), detect.HeadSize)]), nil
}

// plain hands over an object unpacked, in chunks.
func (w *world) plain(ctx context.Context, in scanners.Input, do func([]byte) error) error {
	body, err := in.Open(ctx, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	stream, _, err := compress.Open(body)
	if err != nil {
		return compress.Refuse(ctx, in.Name, err)
	}
	defer stream.Close()
	for {
		b, err := stream.Next()
		for len(b) > 0 {
			n := len(b)
			if w.chunk > 0 {
				n = min(n, w.chunk)
			}
			if err := do(bytes.Clone(b[:n])); err != nil {
				return err
			}
			b = b[n:]
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return compress.Refuse(ctx, in.Name, err)
		}
	}
}

func (w *world) put(key, content string) connectors.Object {
	return w.lake.Overwrite(key, []byte(content))
}

// row is a tombstone of a key that was applied.
func (w *world) row(key string) *manifest.Row {
	r := &manifest.Row{
		Tombstone: fmt.Sprintf("t-%d", len(w.rows[key])), Request: who.String(), Account: who.Account, Dataset: "calls", Object: "mem://lake/" + key, ObjectID: "id of " + key,
		KeyID: w.keys.Derive("record", who.Account).ID(), Action: string(pipeline.EraseRecord), Disposition: string(pipeline.Planned), Tier: string(pipeline.Exact),
	}
	w.rows[key] = append(w.rows[key], r)
	return r
}

// record is one of a record.
func (w *world) record(key, raw string) *manifest.Row {
	r, n := w.row(key), int64(0)
	digest := w.keys.Digest("record", who.Account, []byte(raw))
	r.Record, r.Digest = &n, &digest
	return r
}

// look verifies a key.
func (w *world) look(key string) *verify.Result {
	w.t.Helper()
	if w.rows[key] == nil {
		w.record(key, "some record that went")
	}
	w.v.Search = verify.NewSearch(identity.Key{1}, "US", w.needles, w.asks)
	t := &manifest.Target{
		Store: "lake", Key: key, ID: "id of " + key, Shown: "mem://lake/" + key, Account: w.account, Identifying: w.identifying,
		Versions: []manifest.Version{{Ref: connectors.Ref{Store: "lake", Key: key}, Rows: w.rows[key]}},
	}
	got, err := w.v.Key(w.t.Context(), t, w.captures)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// each changes what is asked.
func (w *world) each(f func(a *pipeline.Ask)) {
	for i := range w.asks {
		for j := range w.asks[i] {
			f(&w.asks[i][j])
		}
	}
}

func day(s string) *pipeline.Date {
	var d pipeline.Date
	if err := d.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return &d
}

// before makes the request one that was answered, by an erasure of one record.
func (w *world) before(raw string) {
	w.t.Helper()
	l := &ledger.Ledger{Work: mem.New("work", mem.Options{}), Keys: w.keys}
	h := ledger.Head{Account: who.Account, Request: who.String(), Run: "r0", Cutoff: cutoff.UnixMilli(), Records: 1}
	digests := func(yield func(string, error) bool) { yield(w.keys.Digest("record", who.Account, []byte(raw)), nil) }
	if err := l.Add(w.t.Context(), h, identity.Key{1}, w.needles, w.asks, nil, digests); err != nil {
		w.t.Fatal(err)
	}
	names, err := l.Names(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	past, err := l.Gather(w.t.Context(), names, identity.Key{1})
	if err != nil {
		w.t.Fatal(err)
	}
	w.v.Past = past.Covered
}

// residue is what of a result is left, in short: code, record and field.
func residue(r *verify.Result) string { return short(r, func(verify.Trace) bool { return true }) }

// records is residue without what the raw bytes tell beside.
func records(r *verify.Result) string {
	return short(r, func(t verify.Trace) bool { return t.Code != verify.InBytes })
}

func short(r *verify.Result, do func(verify.Trace) bool) string {
	var out []string
	for _, t := range r.Residue {
		if do(t) {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %d %s", t.Code, t.Record, t.Field)))
		}
	}
	return strings.Join(out, ", ")
}
