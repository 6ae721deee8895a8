//go:build linux || darwin

package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"expunge/testdata/lake"
)

// another is a writer that knows nothing of the erasure.
type another struct {
	name string
	body []byte // what it puts; nil: it deletes the object
	more string // a record that it has added to what was there; "" where it has put something else
}

// TestEraseRacesOnS3 has another writer come right before each request that changes
// something under a condition: it adds a record, puts another object in its place, or
// deletes it. What it did stays as it did it, and what the consumer's records were is gone
// all the same: at once, or when the erasure is run again. Of records that it took away nobody
// can say where they are now, and of an object that is to go as a whole whether the new one
// is meant: that is a conflict, and it stays.
func TestEraseRacesOnS3(t *testing.T) {
	step := crashStep(t, 5)
	w := newBucketWorld(t)
	w.restore()
	if err := w.attempt(0, none, nil); err != nil {
		t.Fatal(err)
	}
	var races []string
	for _, line := range w.proxy.requests() {
		if conditional(line) && !strings.Contains(line, scratch) || strings.HasSuffix(line, " copy") && strings.Contains(line, w.large) {
			races = append(races, line)
		}
	}
	if len(races) < 14 {
		t.Fatalf("%d conditional requests only", len(races))
	}
	strangers := w.strangers()
	w.proxy.absent = func(r *http.Request) bool {
		if r.Method == http.MethodGet || r.Method == http.MethodHead || strings.Contains(r.URL.Path, scratch) {
			return false
		}
		_, err := w.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("lake"), Key: aws.String(strings.TrimPrefix(r.URL.Path, "/lake/"))})
		return err != nil
	}
	tried, refused, n, lost, left := 0, 0, 0, 0, 0
	for _, line := range races {
		key := strings.TrimPrefix(strings.Fields(line)[1], "/lake/")
		w.restore()
		for _, by := range w.writers(key, strangers) {
			if n++; (n-1)%step != 0 {
				continue
			}
			w.restore()
			came := false
			err := w.attempt(0, none, func(_ int, r *http.Request) {
				if !came && shown(r) == line {
					came = true
					w.write(key, by)
				}
			})
			if !came {
				t.Fatalf("%s does not come again", line)
			}
			tried++
			refused += w.proxy.refusals()
			at := fmt.Sprintf("%s before %s", by.name, line)
			if w.proxy.refusals() == 0 {
				t.Errorf("%s: the server has refused nothing", at)
			}
			for range passes {
				if err != nil {
					err = w.attempt(0, none, nil)
				}
			}
			conflict := strings.HasPrefix(line, http.MethodDelete) && by.body != nil
			gone := by.more == "" && !strings.HasPrefix(line, http.MethodDelete) // with records that were to go: where they are now the next run looks
			if c := (*coded)(nil); (conflict || gone) && (!errors.As(err, &c) || c.code != exitIncomplete) || !conflict && !gone && err != nil {
				t.Errorf("%s: erase ends with %v", at, err)
			}
			a, b := w.raced(at, key, by, conflict)
			lost, left = lost+a, left+b
		}
	}
	t.Logf("%d conditional requests, %d races, %d requests refused by their conditions; survivors lost %d, residue %d", len(races), tried, refused, lost, left)
}

// strangers are objects of the same lake, by kind, that the request is not about.
func (w *bucketWorld) strangers() map[string][]byte {
	w.t.Helper()
	about := map[string]bool{}
	for x := range w.l.Truth() {
		if x.Account+"/"+x.Request == w.who {
			about[x.Object] = true
		}
	}
	out := map[string][]byte{}
	for file := range w.l.Files() {
		if kind := kindOf(file.Key); out[kind] == nil && !about[file.Key] {
			var b bytes.Buffer
			if err := file.Write(&b); err != nil {
				w.t.Fatal(err)
			}
			out[kind] = b.Bytes()
		}
	}
	return out
}

// kindOf is what an object is like, and whose, by its name: a consumer of one account
// may be one of another, too.
func kindOf(key string) string {
	parts := strings.Split(key, "/")
	return strings.Join(parts[:2], "/") + path.Ext(key)
}

// writers are those that may come to a key.
func (w *bucketWorld) writers(key string, strangers map[string][]byte) []another {
	w.t.Helper()
	o, err := w.client.GetObject(w.t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: &key})
	if err != nil {
		w.t.Fatalf("%s: %v", key, err)
	}
	defer o.Body.Close()
	b, err := io.ReadAll(o.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	all := []another{{name: "delete"}}
	if body := strangers[kindOf(key)]; body != nil {
		all = append(all, another{name: "replace", body: body})
	}
	const more = `{"late":"a record of another writer"}`
	switch {
	case key == w.large:
		all = append(all, another{"add", append(b, more+"\n"...), more})
	case strings.HasSuffix(key, ".gz"):
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, err := z.Write([]byte(more + "\n"))
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, another{"add", append(b, packed.Bytes()...), more})
	}
	return all
}

func (w *bucketWorld) write(key string, by another) {
	var err error
	if by.body == nil {
		_, err = w.client.DeleteObject(w.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("lake"), Key: &key})
	} else {
		_, err = w.client.PutObject(w.t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &key, Body: bytes.NewReader(by.body)})
	}
	if err != nil {
		w.t.Errorf("%s %s: %v", by.name, key, err)
	}
}

// raced says what is wrong with a key that another writer came to, and counts what is
// lost or left at all of them.
func (w *bucketWorld) raced(at, key string, by another, conflict bool) (lost, left int) {
	t := w.t
	t.Helper()
	e := w.end()
	versions := strings.Count(e.objects[key], "latest ")
	records, there := w.records()[key]
	switch {
	case by.body == nil:
		if there || e.objects[key] != "" && e.objects[key] != "latest true marker" {
			t.Errorf("%s: left is\n%s", at, e.objects[key])
		}
	case conflict, by.more == "":
		want, err := lake.Records(key, by.body)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(records, want) || !conflict && versions != 1 {
			t.Errorf("%s: it is not what the other writer has put: %d records, not %d\n%s", at, len(records), len(want), e.objects[key])
		}
	default:
		if versions != 1 || !slices.ContainsFunc(records, func(r string) bool { return strings.Contains(r, "a record of another writer") }) {
			t.Errorf("%s: the record that was added is lost:\n%s", at, e.objects[key])
		}
	}
	if strings.Contains(e.objects[key], "unfinished") {
		t.Errorf("%s: an upload is left:\n%s", at, e.objects[key])
	}
	was := w.before[key]
	defer func() { w.before[key] = was }()
	allowed := 0
	if by.more == "" {
		delete(w.before, key) // all of it has gone
	} else {
		allowed = 1 // the record that was added
	}
	lost, left = w.judge()
	if left -= allowed; lost > 0 || left != 0 {
		t.Errorf("%s: %d survivors lost, %d records left", at, lost, left)
	}
	return lost, left
}
