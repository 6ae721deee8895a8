//go:build linux || darwin

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"expunge/testdata/lake"
)

// newKeyedWorld fills a bucket with objects whose keys name Ann, of several formats: Bob's
// records in them are to stay. One is large enough for parts that the server copies.
func newKeyedWorld(t *testing.T) *bucketWorld {
	t.Helper()
	w := newBucket(t)
	w.large = "threads/account=acme/" + ann + ".json"
	for _, o := range keyedObjects(t, 2*partSize+partSize/2) {
		_, err := w.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &o.key, Body: bytes.NewReader(o.body),
			ContentType: aws.String("application/x-test"), CacheControl: aws.String("no-store"), Metadata: map[string]string{"loader": "v7"}, Tagging: aws.String("team=calls")})
		if err != nil {
			t.Fatal(err)
		}
	}
	askKeyed(t, w.dir)
	w.approve(fmt.Sprintf(keyedConfig, filepath.Join(w.dir, "work"), fmt.Sprintf(`url: "s3://lake", endpoint: %q, path_style: true, region: %s, versions: all`, w.proxy.server.URL, w.server.Region)))
	return w
}

// everything is the records of all current objects, by a reader that is not ours.
func (w *bucketWorld) everything() []string {
	w.t.Helper()
	var all []string
	for _, records := range w.records() {
		all = append(all, records...)
	}
	slices.Sort(all)
	return all
}

// TestMoveHarmedOnS3 has objects move from keys that name the consumer, on a versioned
// bucket, while harm is done to one request: see TestEraseHarmedOnS3. At no time is a record of
// another consumer in no object.
func TestMoveHarmedOnS3(t *testing.T) {
	step := crashStep(t, 120)
	w := newKeyedWorld(t)
	w.restore()
	before := bobs(w.everything())
	if err := w.attempt(0, none, nil); err != nil {
		t.Fatal(err)
	}
	lines, want := w.proxy.requests(), w.end()
	var all []string
	for key, o := range want.objects {
		all = append(all, key)
		if strings.Contains(key, ann) || strings.Contains(key, "redacted") && strings.Count(o, "latest true") != strings.Count(o, "application/x-test no-store map[loader:v7] team=calls ") {
			t.Errorf("%s is\n%s", key, o)
		}
	}
	if got := bobs(w.everything()); !slices.Equal(got, before) || len(all) != 7 || strings.Contains(strings.Join(w.everything(), "\n"), ann[1:]) {
		t.Fatalf("undisturbed, the lake has %d records of Bob's, not %d, in %q", len(got), len(before), all)
	}
	if len(want.certificates) != 1 || !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "redacted") && strings.HasSuffix(l, "copy") }) {
		t.Fatalf("%d certificates, or no part was copied: the test proves nothing", len(want.certificates))
	}
	tried, again := 0, 0
	for k, h := range []harm{dieBefore, dieAfter, internal, lostBefore, lostAfter, cutShort} {
		for n := 1 + k*step/6; n <= len(lines); n += step {
			w.restore()
			err := w.attempt(n, h, nil)
			if !w.proxy.harmed() {
				break
			}
			tried++
			line := w.proxy.requests()[n-1]
			at := fmt.Sprintf("request %d (%s), %s", n, line, h)
			if got := bobs(w.everything()); !slices.Equal(got, before) {
				t.Fatalf("%s: %d records of Bob's are left of %d", at, len(got), len(before))
			}
			if err != nil {
				again++
				if err := w.attempt(0, none, nil); err != nil {
					t.Errorf("%s: erase again: %v", at, err)
				}
			}
			got := w.end()
			if h != dieBefore && strings.HasPrefix(line, "POST ") && strings.HasSuffix(line, " uploads") { // nobody knows the id of an upload whose reply is lost; it holds nothing
				for key, o := range got.objects {
					got.objects[key] = strings.TrimSuffix(o, "\nunfinished upload of 0 parts")
				}
			}
			if err := got.differs(want); err != nil {
				t.Errorf("%s: %v", at, err)
			}
		}
	}
	t.Logf("%d requests, %d harmed, %d of them run again", len(lines), tried, again)
}

// TestMoveRacesOnS3 has another writer come right before each request that moves an
// object: to the old key, or to the redacted one. What it has put stays, and no record of
// another consumer is lost, unless that writer took it away.
func TestMoveRacesOnS3(t *testing.T) {
	step := crashStep(t, 5)
	w := newKeyedWorld(t)
	w.restore()
	before := bobs(w.everything())
	if err := w.attempt(0, none, nil); err != nil {
		t.Fatal(err)
	}
	w.proxy.absent = func(r *http.Request) bool {
		if r.Method == http.MethodGet || r.Method == http.MethodHead || strings.Contains(r.URL.Path, scratch) {
			return false
		}
		_, err := w.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("lake"), Key: aws.String(strings.TrimPrefix(r.URL.Path, "/lake/"))})
		return err != nil
	}
	const late = `{"said":"late"}`
	n, tried := 0, 0
	for _, line := range w.proxy.requests() {
		if created := strings.HasSuffix(line, "If-None-Match") && strings.Contains(line, "redacted"); !conditional(line) && !created || strings.Contains(line, scratch) {
			continue
		}
		key := strings.TrimPrefix(strings.Fields(line)[1], "/lake/")
		for _, by := range []another{{name: "replace", body: []byte(late + "\n")}, {name: "delete"}} {
			if by.body == nil && strings.Contains(key, "redacted") {
				continue // there is nothing yet
			}
			if n++; (n-1)%step != 0 {
				continue
			}
			tried++
			w.restore()
			at := fmt.Sprintf("%s before %s", by.name, line)
			var took []string
			came := false
			err := w.attempt(0, none, func(_ int, r *http.Request) {
				if !came && shown(r) == line {
					came = true
					took = w.at(key)
					w.write(key, by)
				}
			})
			if !came {
				t.Fatalf("%s does not come again", line)
			}
			for range passes {
				if err != nil {
					err = w.attempt(0, none, nil)
				}
			}
			if (err != nil) != (by.body != nil) {
				t.Errorf("%s: erase ends with %v", at, err)
			}
			if by.body != nil && !slices.Equal(w.at(key), []string{late}) {
				t.Errorf("%s: what the other writer has put is %q", at, w.at(key))
			}
			left := bobs(w.everything())
			for _, r := range before {
				if !slices.Contains(left, r) && !slices.Contains(took, r) {
					t.Errorf("%s: a record of Bob's is lost", at)
				}
			}
			for o, is := range w.end().objects {
				if strings.Contains(is, "unfinished") {
					t.Errorf("%s: %s: an upload is left:\n%s", at, o, is)
				}
			}
		}
	}
	t.Logf("%d races, %d tried", n, tried)
}

// at are the records of the current object at key; nil if there is none.
func (w *bucketWorld) at(key string) []string {
	o, err := w.client.GetObject(w.t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: &key})
	if err != nil {
		return nil
	}
	defer o.Body.Close()
	b, err := io.ReadAll(o.Body)
	if err != nil {
		w.t.Error(err)
	}
	if strings.HasSuffix(key, ".csv") || strings.HasSuffix(key, ".txt") {
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	records, err := lake.Records(key, b)
	if err != nil {
		w.t.Error(err)
	}
	return records
}
