//go:build linux || darwin

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"expunge/connectors"
	"expunge/connectors/retry"
	ours "expunge/connectors/s3"
	"expunge/pipeline/certificate"
	"expunge/pipeline/config"
	"expunge/testdata/lake"
	"expunge/testdata/s3server"
)

// bucketWorld is an approved erasure on an S3 server, which can be begun again and
// again from the same state: the server's files are put back.
type bucketWorld struct {
	t      *testing.T
	l      *lake.Lake
	dir    string
	config string
	who    string // the request
	run    string
	server *s3server.Server
	client *s3.Client
	proxy  *proxy
	now    time.Time
	before map[string][]string // records of the lake's objects, by key
	large  string              // key of the object that is written in parts
}

// parts are the folders of the server and of the work store.
var parts = []string{"server/data", "server/versions", "server/sidecar", "work"}

// partSize is the least that S3 takes, so that the large object need not be larger.
const partSize = 5 << 20

// newBucketWorld fills a versioned bucket with an object of each kind, twice, so
// that there are older versions, and one that is large enough for parts that the server copies.
func newBucketWorld(t *testing.T) *bucketWorld {
	t.Helper()
	w := newBucket(t)
	w.who = "acct-a/R-1004"
	l, err := lake.Generate(lake.Options{Seed: 5, Bytes: 1 << 20, Accounts: 3, Requests: 12})
	if err != nil {
		t.Fatal(err)
	}
	w.l = l
	w.fill(l)
	for _, r := range l.Requests() {
		if r.Account+"/"+r.ID != w.who {
			continue
		}
		b, err := json.Marshal(r)
		if err == nil {
			err = os.WriteFile(filepath.Join(w.dir, "requests.jsonl"), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	access := []string{fmt.Sprintf("endpoint: %q", w.proxy.server.URL), "path_style: true", "region: " + w.server.Region}
	w.approve(l.Config("s3://lake", filepath.Join(w.dir, "work"), append(access, "versions: all")...))
	w.before = w.records()
	return w
}

// newBucket starts a server with a versioned bucket, which is empty.
func newBucket(t *testing.T) *bucketWorld {
	t.Helper()
	w := &bucketWorld{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	data := filepath.Join(w.dir, "server")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.server, err = s3server.Start(t.Context(), data, s3server.Options{}); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	w.client = s3.New(w.server.Client().Options(), func(o *s3.Options) { o.HTTPClient = &http.Client{Transport: transport} })
	t.Cleanup(func() {
		transport.CloseIdleConnections() // the server waits for them when it ends
		if err := w.server.Close(); err != nil {
			t.Error(err)
		}
	})
	w.proxy = newProxy(t, w.server.Endpoint) // closed before the server
	if err := w.server.CreateBucket(t.Context(), "lake", true); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", w.server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", w.server.SecretKey)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	quiet(t)
	was := retries
	retries = retry.Policy{Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }, Rand: func() float64 { return 0 }}
	t.Cleanup(func() { retries = was })
	return w
}

// approve makes and approves the manifest of the requests in requests.jsonl, and keeps
// what can be put back.
func (w *bucketWorld) approve(text string) {
	t := w.t
	t.Helper()
	w.config = configured(t, filepath.Join(w.dir, "s3.yaml"), text)
	for _, args := range [][]string{{"submit", filepath.Join(w.dir, "requests.jsonl")}, {"run"}} {
		if code := expunge(t, append([]string{"-c", w.config}, args...)...); code != exitDone {
			t.Fatalf("%v: exit %d", args, code)
		}
	}
	w.run = onlyRun(t, filepath.Join(w.dir, "work"))
	if code := expunge(t, "-c", w.config, "approve", w.run, "--by", "jo", "--versions-lost", "100000"); code != exitDone {
		t.Fatalf("approve: exit %d", code)
	}
	for _, part := range parts {
		copyTree(t, filepath.Join(w.dir, part), filepath.Join(w.dir, "snapshot", part))
	}
}

// fill puts an object of each kind that requests are about.
func (w *bucketWorld) fill(l *lake.Lake) {
	w.t.Helper()
	wanted, kinds := map[string]bool{}, map[string]int{}
	for x := range l.Truth() {
		kind := strings.Split(x.Object, "/")[0]
		if x.Account+"/"+x.Request != w.who || !x.Tier.Automatic() || wanted[x.Object] || kinds[kind] > 0 {
			continue
		}
		kinds[kind]++
		wanted[x.Object] = true
	}
	if len(kinds) < 14 {
		w.t.Fatalf("the request is about %d kinds of objects only", len(kinds))
	}
	older := map[string]bool{"crm": true, "recordings": true}
	for file := range l.Files() {
		if !wanted[file.Key] {
			continue
		}
		var b bytes.Buffer
		if err := file.Write(&b); err != nil {
			w.t.Fatal(err)
		}
		tries := 1
		if older[strings.Split(file.Key, "/")[0]] {
			tries = 2
		}
		if strings.HasPrefix(file.Key, "ctr/") && b.Bytes()[0] == '{' && w.large == "" { // others are packed
			w.large = file.Key
			for i := 0; b.Len() < 2*partSize+partSize/2; i++ {
				fmt.Fprintf(&b, `{"ContactId":"c-%08d","InitiationTimestamp":"2026-10-01T00:00:00Z","CustomerEndpoint":{"Type":"TELEPHONE_NUMBER","Address":"+1212555%04d"},"Note":"%s"}`+"\n", i, 100+i%100, strings.Repeat("-", 2000))
			}
		}
		for range tries {
			_, err := w.client.PutObject(w.t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &file.Key, Body: bytes.NewReader(b.Bytes()),
				ContentType: aws.String("application/x-test"), CacheControl: aws.String("no-store"), Metadata: map[string]string{"loader": "v7"}, Tagging: aws.String("team=calls")})
			if err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if w.large == "" {
		w.t.Fatal("there is no object that can be made large")
	}
}

// restore puts the server's files back to where the erasure can begin.
func (w *bucketWorld) restore() {
	w.t.Helper()
	for _, part := range parts {
		root := filepath.Join(w.dir, part)
		entries, err := os.ReadDir(root)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range entries { // the server holds the folder itself
			if err := os.RemoveAll(filepath.Join(root, e.Name())); err != nil {
				w.t.Fatal(err)
			}
		}
		copyTree(w.t, filepath.Join(w.dir, "snapshot", part), root)
	}
}

// attempt erases; request n of it comes to harm. n 0: none.
func (w *bucketWorld) attempt(n int, h harm, ahead func(int, *http.Request)) error {
	w.t.Helper()
	ctx, kill := context.WithCancel(w.t.Context())
	defer kill()
	w.proxy.reset(n, h, kill)
	w.proxy.mu.Lock()
	w.proxy.ahead = ahead
	w.proxy.mu.Unlock()
	f := &flags{config: w.config, now: func() time.Time { return w.now }, json: true}
	a, err := open(ctx, f)
	if err != nil {
		return err
	}
	var opened []*ours.Store
	defer func() {
		for _, s := range opened {
			s.Close()
		}
	}()
	a.vendor = func(ctx context.Context, c config.Store) (connectors.Store, error) {
		s, err := ours.New(ctx, ours.Options{
			Name: c.Name, Bucket: c.Bucket, Prefix: c.Prefix, Endpoint: c.Endpoint, Region: c.Region, PathStyle: c.PathStyle, Versions: c.Versions, PartSize: partSize,
		})
		if err == nil {
			opened = append(opened, s)
		}
		return s, err
	}
	return a.erase(ctx, w.run, nil, 1)
}

// end is all that is in the bucket, and what was certified, in a form that can be compared.
type end struct {
	objects      map[string]string // by key: its versions, newest first, and unfinished uploads
	certificates map[string]string
}

func (w *bucketWorld) end() end {
	w.t.Helper()
	out := end{objects: map[string]string{}, certificates: map[string]string{}}
	ctx, bucket := w.t.Context(), aws.String("lake")
	lines := map[string][]string{}
	seen := map[string]bool{} // this server's pages repeat rows
	versions := s3.NewListObjectVersionsPaginator(w.client, &s3.ListObjectVersionsInput{Bucket: bucket})
	for versions.HasMorePages() {
		page, err := versions.NextPage(ctx)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, v := range page.Versions {
			if id := *v.Key + "?" + aws.ToString(v.VersionId); !seen[id] && !strings.HasSuffix(*v.Key, "/") {
				seen[id] = true
				lines[*v.Key] = append(lines[*v.Key], fmt.Sprintf("latest %t %s", aws.ToBool(v.IsLatest), w.look(*v.Key, v.VersionId)))
			}
		}
		for _, m := range page.DeleteMarkers {
			if id := *m.Key + "?" + aws.ToString(m.VersionId); !seen[id] {
				seen[id] = true
				lines[*m.Key] = append(lines[*m.Key], fmt.Sprintf("latest %t marker", aws.ToBool(m.IsLatest)))
			}
		}
	}
	uploads, err := w.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, u := range uploads.Uploads {
		parts, err := w.client.ListParts(ctx, &s3.ListPartsInput{Bucket: bucket, Key: u.Key, UploadId: u.UploadId})
		if err != nil {
			w.t.Fatal(err)
		}
		lines[*u.Key] = append(lines[*u.Key], fmt.Sprintf("unfinished upload of %d parts", len(parts.Parts)))
	}
	for key, all := range lines {
		slices.Sort(all)
		out.objects[key] = strings.Join(all, "\n")
	}
	certificates := filepath.Join(w.dir, "work", "certificates")
	if _, err := os.Stat(certificates); errors.Is(err, os.ErrNotExist) {
		return out
	}
	for name, raw := range files(w.t, certificates) {
		_, b, err := certificate.Parse(raw)
		if err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
		for i := range b.Objects {
			b.Objects[i].VersionAfter = ""
		}
		b.NotCovered = slices.DeleteFunc(b.NotCovered, func(s string) bool { return strings.Contains(s, "unfinished uploads") }) // they are compared themselves
		text, err := json.MarshalIndent(b, "", " ")
		if err != nil {
			w.t.Fatal(err)
		}
		out.certificates[name] = string(text)
	}
	return out
}

// look is what a version is: digest of its bytes, and what stands beside them.
func (w *bucketWorld) look(key string, version *string) string {
	w.t.Helper()
	o, err := w.client.GetObject(w.t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: &key, VersionId: version})
	if err != nil {
		w.t.Fatalf("%s: %v", key, err)
	}
	defer o.Body.Close()
	h := sha256.New()
	n, err := io.Copy(h, o.Body)
	if err != nil {
		w.t.Fatalf("%s: %v", key, err)
	}
	tags := ""
	if t, err := w.client.GetObjectTagging(w.t.Context(), &s3.GetObjectTaggingInput{Bucket: aws.String("lake"), Key: &key, VersionId: version}); err == nil {
		for _, tag := range t.TagSet {
			tags += *tag.Key + "=" + *tag.Value + " "
		}
	}
	return fmt.Sprintf("%d bytes %x %s %s %v %s", n, h.Sum(nil), aws.ToString(o.ContentType), aws.ToString(o.CacheControl), o.Metadata, tags)
}

// records are those of the lake's current objects.
func (w *bucketWorld) records() map[string][]string {
	w.t.Helper()
	records := map[string][]string{}
	pages := s3.NewListObjectsV2Paginator(w.client, &s3.ListObjectsV2Input{Bucket: aws.String("lake")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, o := range page.Contents {
			if strings.HasSuffix(*o.Key, "/") {
				continue // the server lists folders, too
			}
			out, err := w.client.GetObject(w.t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: o.Key})
			if err != nil {
				w.t.Fatalf("%s: %v", *o.Key, err)
			}
			b, err := io.ReadAll(out.Body)
			out.Body.Close()
			if err == nil {
				records[*o.Key], err = lake.Records(*o.Key, b)
			}
			if err != nil {
				w.t.Fatalf("%s: %v", *o.Key, err)
			}
		}
	}
	return records
}

// differs says how an end is another than that of an undisturbed erasure.
func (e end) differs(want end) error {
	for _, key := range slices.Sorted(maps.Keys(want.objects)) {
		if e.objects[key] != want.objects[key] {
			return fmt.Errorf("%s is\n%s\nnot\n%s", key, e.objects[key], want.objects[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(e.objects)) {
		if _, ok := want.objects[key]; !ok {
			return fmt.Errorf("%s is there, and should not be:\n%s", key, e.objects[key])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.certificates)) {
		if e.certificates[name] != want.certificates[name] {
			return fmt.Errorf("certificate %s is\n%s\nnot\n%s", name, e.certificates[name], want.certificates[name])
		}
	}
	if len(e.certificates) != len(want.certificates) {
		return errors.New("there are other certificates")
	}
	return nil
}

// lost and left are the records of others that an end lacks, and those that the
// manifest names and that are still there; by a reader that is not ours.
func (w *bucketWorld) judge() (lost, left int) {
	w.t.Helper()
	gone := map[string]map[int64]bool{}
	names, err := filepath.Glob(filepath.Join(w.dir, "work", "runs", "*", "manifest", "tombstones*.parquet"))
	if err != nil || len(names) == 0 {
		w.t.Fatalf("no tombstones: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range readTable[struct {
			Object string `parquet:"object"`
			Record *int64 `parquet:"record,optional"`
			Action string `parquet:"action"`
		}](w.t, b) {
			if r.Action == "delete_version" {
				continue
			}
			key, err := url.PathUnescape(strings.TrimPrefix(r.Object, "s3://lake/"))
			if err != nil {
				w.t.Fatal(err)
			}
			if gone[key] == nil {
				gone[key] = map[int64]bool{}
			}
			gone[key][ordinal(r.Record)] = true
		}
	}
	if len(gone) < 12 {
		w.t.Fatalf("the manifest names %d objects only", len(gone))
	}
	after := w.records()
	for key, records := range w.before {
		have := map[string]int{}
		for _, r := range after[key] {
			have[r]++
		}
		for i, r := range records {
			if !gone[key][-1] && !gone[key][int64(i)] {
				if have[r]--; have[r] < 0 {
					lost++
				}
			}
		}
		for _, n := range have {
			left += max(n, 0)
		}
	}
	return lost, left
}

// reads reports whether a request changes nothing.
func reads(line string) bool {
	return strings.HasPrefix(line, "GET ") || strings.HasPrefix(line, "HEAD ")
}

// TestEraseHarmedOnS3 has an erasure on a versioned bucket send its requests through
// a proxy that does harm to one of them: the program is killed there, before or after the
// server has acted; the server is slow or fails; the connection breaks, before or
// after; the reply is cut short. However it went, it ends as an undisturbed one
// does, at once or when it is run again: the same bytes in every version, the
// same headers and tags, no marker, no unfinished upload, the same certificates.
func TestEraseHarmedOnS3(t *testing.T) {
	step := crashStep(t, 250)
	w := newBucketWorld(t)
	w.restore()
	if err := w.attempt(0, none, nil); err != nil {
		t.Fatal(err)
	}
	lines, want := w.proxy.requests(), w.end()
	if len(want.certificates) == 0 || !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "PUT /lake/"+w.large) && strings.HasSuffix(l, "copy") }) {
		t.Fatal("nothing was certified, or no part was copied: the test proves nothing")
	}
	lost, left := w.judge()
	if lost+left > 0 {
		t.Fatalf("undisturbed: %d survivors lost, %d records left", lost, left)
	}
	tried, again := map[harm]int{}, 0
	try := func(n int, h harm) bool {
		w.restore()
		err := w.attempt(n, h, nil)
		if !w.proxy.harmed() {
			return false
		}
		tried[h]++
		line := w.proxy.requests()[n-1]
		at := fmt.Sprintf("request %d (%s), %s", n, line, h)
		if err == nil && h.dies() && n < len(lines) {
			t.Errorf("%s: erase ends without an error", at)
		}
		if err != nil {
			again++
			if err := w.attempt(0, none, nil); err != nil {
				t.Errorf("%s: erase again: %v", at, err)
			}
		}
		got := w.end()
		if (h == dieAfter || h == lostAfter || h == cutShort) && strings.HasPrefix(line, "POST ") && strings.HasSuffix(line, " uploads") { // nobody knows the id of an upload whose reply is lost; it holds nothing
			got.objects[w.large] = strings.TrimSuffix(got.objects[w.large], "\nunfinished upload of 0 parts")
		}
		if err := got.differs(want); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		a, b := w.judge()
		lost, left = lost+a, left+b
		return true
	}
	for i, line := range lines { // what is written in parts can be left half-written: always
		if step > 1 && strings.Contains(line, w.large) && !reads(line) {
			for _, h := range []harm{dieBefore, dieAfter, internal} {
				try(i+1, h)
			}
		}
	}
	harms := []harm{dieBefore, dieAfter, slowDown, internal, lostBefore, lostAfter, cutShort}
	for k, h := range harms {
		for n := 1 + k*step/len(harms); n <= len(lines); n += step {
			// What is lost behind a request that changes nothing, or before it, is one.
			if (h == dieAfter || h == lostAfter) && reads(lines[n-1]) && reads(lines[max(n-2, 0)]) && reads(lines[min(n, len(lines)-1)]) {
				if step == 1 {
					continue
				}
				for n < len(lines) && reads(lines[n-1]) { // the next that changes something
					n++
				}
			}
			if !try(n, h) {
				break
			}
		}
	}
	t.Logf("%d requests; %v; %d of them run again; survivors lost %d, residue %d", len(lines), tried, again, lost, left)
	if lost+left > 0 {
		t.Errorf("%d survivors lost, %d records left", lost, left)
	}
}
