package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"expunge/testdata/lake"
)

// TestEraseKilledOnS3 kills (kill -9) the real program again and again while it
// erases on a versioned bucket, at random moments, and goes on with it each time; then
// holds the bucket against the truth: what should go is gone from every version, and
// nothing else is. `make crash` kills a hundred times.
func TestEraseKilledOnS3(t *testing.T) {
	kills := 6
	if os.Getenv("EXPUNGE_CRASH") != "" {
		kills = max(kills, 100/crashStep(t, 1))
	}
	l, err := lake.Generate(lake.Options{Seed: 17, Bytes: 1 << 20, Accounts: 3, Requests: 12})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := onS3(t, l, dir)
	program(t, config, dir)
	before, _ := bucketRecords(t, config)
	run := onlyRun(t, filepath.Join(dir, "server", "data", "work", "expunge"))
	if c, log := started(t, "-c", config, "approve", run, "--by", "jo"); c.Wait() != nil {
		t.Fatalf("approve: %s", log)
	}
	r := rand.New(rand.NewPCG(17, 17))
	killed := 0
	for range 20 * kills {
		if killed == kills {
			break
		}
		c, log := started(t, "-c", config, "erase", run, "--workers", "2")
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("erase: %v\n%s", err, log)
			}
		case <-time.After(time.Duration(30+r.IntN(1200)) * time.Millisecond):
			_ = c.Process.Kill()
			<-ended
			killed++
		}
	}
	if killed < kills {
		t.Errorf("killed %d times only", killed)
	}
	c, log := started(t, "-c", config, "erase", run)
	if err := c.Wait(); err != nil {
		t.Fatalf("erase at last: %v\n%s", err, log)
	}
	want := left(t, l, before)
	if len(want) == len(before) && !strings.Contains(log.String(), "DONE") {
		t.Error("nothing was erased: the test proves nothing")
	}
	after, old := bucketRecords(t, config)
	sameLake(t, want, after)
	if len(old) > 0 {
		t.Errorf("old versions are left of %d keys, such as %s", len(old), old[0])
	}
	t.Logf("killed %d times", killed)
}

// TestEraseSeveralAtOnce starts the command three times on one manifest: whoever comes
// second to an object finds it done, and none takes anything else along.
func TestEraseSeveralAtOnce(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 19, Bytes: 1 << 20, Accounts: 3, Requests: 12})
	if err != nil {
		t.Fatal(err)
	}
	erase := func(t *testing.T, config, run string) {
		t.Helper()
		if c, log := started(t, "-c", config, "approve", run, "--by", "jo"); c.Wait() != nil {
			t.Fatalf("approve: %s", log)
		}
		var running []*exec.Cmd
		var logs []*bytes.Buffer
		for range 3 {
			c, log := started(t, "-c", config, "erase", run, "--workers", "2")
			running, logs = append(running, c), append(logs, log)
		}
		for i, c := range running {
			if err := c.Wait(); err != nil {
				t.Errorf("erase %d: %v\n%s", i, err, logs[i])
			}
		}
		if c, log := started(t, "-c", config, "verify", run); c.Wait() != nil {
			t.Errorf("verify: %s", log)
		}
	}
	t.Run("dir", func(t *testing.T) {
		dir := t.TempDir()
		place(t, l, dir)
		config := configure(t, l, dir, "work")
		program(t, config, dir)
		before := lakeRecords(t, filepath.Join(dir, "lake"))
		erase(t, config, onlyRun(t, filepath.Join(dir, "work")))
		sameLake(t, left(t, l, before), lakeRecords(t, filepath.Join(dir, "lake")))
	})
	t.Run("s3", func(t *testing.T) {
		dir := t.TempDir()
		config := onS3(t, l, dir)
		program(t, config, dir)
		before, _ := bucketRecords(t, config)
		erase(t, config, onlyRun(t, filepath.Join(dir, "server", "data", "work", "expunge")))
		after, old := bucketRecords(t, config)
		sameLake(t, left(t, l, before), after)
		if len(old) > 0 {
			t.Errorf("old versions are left of %d keys, such as %s", len(old), old[0])
		}
	})
}

// bucketRecords reads the lake's bucket with a client that is not ours: the records
// of each object, and the keys that have versions besides the current one.
func bucketRecords(t *testing.T, config string) (records map[string][]string, old []string) {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := regexp.MustCompile(`endpoint: "([^"]+)"`).FindSubmatch(text)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections() // the server waits for them when it ends
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(string(endpoint[1])), Region: "us-east-1", UsePathStyle: true, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
	})
	records = map[string][]string{}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: aws.String("lake")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			if strings.HasSuffix(*o.Key, "/") {
				continue // the server lists folders, too
			}
			out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: o.Key})
			if err != nil {
				t.Fatalf("%s: %v", *o.Key, err)
			}
			b, err := io.ReadAll(out.Body)
			out.Body.Close()
			if err == nil {
				records[*o.Key], err = lake.Records(*o.Key, b)
			}
			if err != nil {
				t.Fatalf("%s: %v", *o.Key, err)
			}
		}
	}
	versions := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{Bucket: aws.String("lake")})
	for versions.HasMorePages() {
		page, err := versions.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			if !aws.ToBool(v.IsLatest) {
				old = append(old, *v.Key)
			}
		}
	}
	return records, old
}

// left is what the truth leaves of a lake's records.
func left(t *testing.T, l *lake.Lake, before map[string][]string) map[string][]string {
	t.Helper()
	gone := map[string]map[int64]bool{}
	for x := range l.Truth() {
		if !slices.Contains(x.Rights, "delete") || x.Tier == "mention" || x.Tier == "review" {
			continue
		}
		if gone[x.Object] == nil {
			gone[x.Object] = map[int64]bool{}
		}
		gone[x.Object][x.Record] = true
	}
	if len(gone) == 0 {
		t.Fatal("the truth names nothing to erase")
	}
	want := map[string][]string{}
	for key, records := range before {
		if gone[key][-1] {
			continue
		}
		var stay []string
		for i, r := range records {
			if !gone[key][int64(i)] {
				stay = append(stay, r)
			}
		}
		if len(stay) == 0 && strings.Contains(key, "/single/") {
			continue // one JSON document: without it nothing is left of the object
		}
		want[key] = stay
	}
	return want
}
