package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/dustin/go-humanize"

	"expunge/pipeline/report"
	"expunge/testdata/lake"
	"expunge/testdata/s3server"
)

// runMemory is what a run may have resident at most, whatever its lake.
const runMemory = 512 << 20

// truthOptions is the lake of TestTruth: EXPUNGE_TRUTH=200MB (make truth) is one
// with 500 requests over 20 accounts; EXPUNGE_CONSUMERS says how many ask.
func truthOptions(t *testing.T) lake.Options {
	size := os.Getenv("EXPUNGE_TRUTH")
	if size == "" {
		return lake.Options{Seed: 7, Bytes: 1 << 20, Accounts: 3, Requests: 12}
	}
	n, err := humanize.ParseBytes(size)
	if err != nil {
		t.Fatalf("EXPUNGE_TRUTH: %v", err)
	}
	requests := 500
	if asked := os.Getenv("EXPUNGE_CONSUMERS"); asked != "" {
		if requests, err = strconv.Atoi(asked); err != nil {
			t.Fatalf("EXPUNGE_CONSUMERS: %v", err)
		}
	}
	return lake.Options{Seed: 1, Bytes: int64(n), Accounts: 20, Requests: requests}
}

// TestTruth runs the whole job on a generated lake, in a directory and on S3: what
// bundles, manifest and review list name is exactly what the generator knows, and
// the program stays within its memory.
func TestTruth(t *testing.T) {
	l, err := lake.Generate(truthOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("dir", func(t *testing.T) {
		dir := t.TempDir()
		place(t, l, dir)
		program(t, configure(t, l, dir, "work"), dir)
		compareTruth(t, l, outputs(t, dir, "work"))
		figures(t, filepath.Join(dir, "work"))
	})
	t.Run("s3", func(t *testing.T) {
		dir := t.TempDir()
		config := onS3(t, l, dir)
		program(t, config, dir)
		root := filepath.Join(dir, "server", "data", "work", "expunge") // the server keeps objects as files
		compareTruth(t, l, tablesBelow(t, root, "s3://lake/"))
		figures(t, root)
	})
}

// onS3 starts a server in this process, fills it with the lake and returns the
// config of a job on it.
func onS3(t *testing.T, l *lake.Lake, dir string) (config string) {
	t.Helper()
	data := filepath.Join(dir, "server")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	server, err := s3server.Start(t.Context(), data, s3server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	client := s3.New(server.Client().Options(), func(o *s3.Options) { o.HTTPClient = &http.Client{Transport: transport} })
	t.Cleanup(func() {
		transport.CloseIdleConnections() // the server waits for them when it ends
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, bucket := range []string{"lake", "work"} {
		if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String("lake"), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, l, func(key string, body []byte) error {
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &key, Body: bytes.NewReader(body)})
		return err
	})
	asked(t, l, dir)
	t.Setenv("AWS_ACCESS_KEY_ID", server.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.SecretKey)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	access := []string{fmt.Sprintf("endpoint: %q", server.Endpoint), "path_style: true", "region: " + server.Region}
	text := l.Config("s3://lake", "s3://work/expunge", append(access, "versions: all")...)
	text = strings.Replace(text, "key_env: EXPUNGE_KEY}", strings.Join(access, ", ")+", key_env: EXPUNGE_KEY}", 1) // of the work store, which is on the server, too
	return configured(t, filepath.Join(dir, "s3.yaml"), text)
}

// program submits the requests and runs them, in a process of their own, whose memory
// is not the test's.
func program(t *testing.T, config, dir string) {
	t.Helper()
	for _, args := range [][]string{{"submit", filepath.Join(dir, "requests.jsonl")}, {"run"}} {
		c, log := started(t, append([]string{"-c", config}, args...)...)
		if err := c.Wait(); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, tail(log.Bytes()))
		}
	}
}

// compareTruth compares outputs with the truth about a lake.
func compareTruth(t *testing.T, l *lake.Lake, out *tables) {
	t.Helper()
	var tombstones, review, bundles []found
	why := map[found]string{}
	acted, asked := map[found]bool{}, map[found]bool{}
	for _, f := range slices.Concat(out.tombstones, out.bundles) {
		acted[f] = true
	}
	for _, f := range out.review {
		asked[f] = true
	}
	whole := map[found]bool{} // objects that are a request's as they are: nobody is asked about lines in them
	for x := range l.Truth() {
		if x.Record < 0 && x.Tier.Automatic() {
			whole[found{x.Account + "/" + x.Request, x.Object, -1}] = true
		}
	}
	type recall struct{ there, found int }
	tiers, right := map[lake.Tier]recall{}, 0
	for x := range l.Truth() {
		f := found{x.Account + "/" + x.Request, x.Object, x.Record}
		r := tiers[x.Tier]
		r.there++
		if x.Tier.Automatic() && acted[f] {
			r.found++
			right++
		} else if !x.Tier.Automatic() && (asked[f] || whole[found{f.Request, f.Object, -1}]) {
			r.found++
		}
		tiers[x.Tier] = r
		why[f] = fmt.Sprint(x.Tier, ": ", x.Why)
		if !x.Tier.Automatic() && whole[found{f.Request, f.Object, -1}] {
			continue
		}
		if x.Tier == "mention" || x.Tier == "review" {
			review = append(review, f)
			continue
		}
		if slices.Contains(x.Rights, "delete") {
			tombstones = append(tombstones, f)
		}
		if slices.Contains(x.Rights, "access") || slices.Contains(x.Rights, "know") {
			bundles = append(bundles, f)
		}
	}
	for _, tier := range []lake.Tier{lake.Exact, lake.Normalised, lake.Hashed, lake.Linked, lake.Mention, lake.Review} {
		r := tiers[tier]
		t.Logf("recall of %-10s %.4f (%d of %d)", tier, float64(r.found)/float64(max(r.there, 1)), r.found, r.there)
	}
	t.Logf("precision            %.4f (%d of %d that were acted on)", float64(right)/float64(max(len(acted), 1)), right, len(acted))
	compare(t, "manifest", out.tombstones, tombstones, why)
	compare(t, "review", out.review, review, why)
	compare(t, "bundles", out.bundles, bundles, why)
	if len(tombstones) == 0 || len(review) == 0 || len(bundles) == 0 {
		t.Error("the lake asks for nothing of a kind: the comparison proves nothing")
	}
}

// figures prints what the only run took, and holds it to its memory.
func figures(t *testing.T, root string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, "runs", "*", "report.json"))
	if err != nil || len(names) != 1 {
		t.Fatalf("reports: %v, %v", names, err)
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d requests, %s objects, %s: %.1f s, %s files written, %s at most in memory", len(r.Requests), humanize.Comma(r.Objects["scanned"]),
		humanize.IBytes(uint64(r.Bytes.Listed)), r.Seconds, humanize.Comma(r.Files), humanize.IBytes(uint64(r.PeakMemory)))
	for _, p := range r.Phases {
		t.Logf("  %-9s %6.1f s", p.Phase, p.Seconds)
	}
	switch {
	case r.State != report.Complete:
		t.Errorf("the run is %s: %v", r.State, r.Why)
	case r.PeakMemory > runMemory:
		t.Errorf("the run took %s of memory, more than %s", humanize.IBytes(uint64(r.PeakMemory)), humanize.IBytes(runMemory))
	case r.PeakMemory == 0:
		t.Log("this system does not tell how much memory a process has had")
	}
}
