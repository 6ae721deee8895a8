package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/testscript"

	"expunge/testdata/s3server"
)

// TestMain lets the test binary be the program, so that scripts can run it and
// tests can kill it.
func TestMain(m *testing.M) {
	if os.Getenv("EXPUNGE_TEST_PROGRAM") != "" {
		os.Exit(Main())
	}
	testscript.Main(m, map[string]func(){"expunge": scripted, "s3server": serve})
}

// TestScripts runs testdata/script/*.txtar: one behaviour of the program each.
// Beside the commands of testscript they have those of the table below, a clock
// that stands still ($NOW) and the keys that configs ask for.
func TestScripts(t *testing.T) {
	dir, err := filepath.Abs(filepath.Join("testdata", "script"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NOW", "2026-11-25T12:00:00Z")
			e.Setenv("EXPUNGE_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
			e.Setenv("EXPUNGE_SIGNING_KEY", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=")
			e.Setenv("SAID", filepath.Join(e.WorkDir, ".said"))
			e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			return common(filepath.Join(dir, "common"), e.WorkDir)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "newrun": newrun, "nowhere": nowhere, "gz": gz, "cut": cut, "s3": startS3, "upload": upload, "fetch": fetch, "begin": begin, "unfinished": unfinished, "retain": retain, "versioning": versioning, "dropversion": dropversion, "storehold": storehold, "retention": defaultRetention, "deny": deny, "counts": counts, "labelled": labelled,
		},
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
	})
}

// common gives a script the config and the lake of testdata/script/common, each
// unless it brings its own.
func common(from, to string) error {
	for _, what := range []string{"expunge.yaml", "lake"} {
		if _, err := os.Stat(filepath.Join(to, what)); err == nil {
			continue
		}
		err := filepath.WalkDir(filepath.Join(from, what), func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(from, name)
			if err != nil {
				return err
			}
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o700); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(to, rel), b, 0o600)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// scripted is the program under the clock of a script. What it says is kept.
func scripted() {
	now, err := time.Parse(time.RFC3339, os.Getenv("NOW"))
	if err != nil {
		panic(err)
	}
	said, err := os.OpenFile(os.Getenv("SAID"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	outDone, out := tee(os.Stdout, said)
	errDone, errs := tee(os.Stderr, said)
	os.Stdout, os.Stderr = out, errs
	code := mainAt(func() time.Time { return now })
	out.Close()
	errs.Close()
	<-outDone
	<-errDone
	os.Exit(code)
}

func tee(to, copy *os.File) (<-chan struct{}, *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.MultiWriter(to, copy), r)
	}()
	return done, w
}

// exits CODE COMMAND ARG…: the program ends with that code. In place of COMMAND
// stands what is to be run; `stdin` and the like are those of exec.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var ended *exec.ExitError
	switch {
	case err == nil:
	case asExit(err, &ended):
		got = ended.ExitCode()
	default:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s ended with exit code %d, not %d", args[1], got, want)
	}
}

func asExit(err error, to **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*to = e
	return ok
}

// newrun NAME: puts the id of the one run in work/ that no earlier newrun has
// named into the variable NAME.
func newrun(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: newrun NAME")
	}
	dirs, err := filepath.Glob(ts.MkAbs("work/runs/*"))
	ts.Check(err)
	known := ts.Getenv("RUNS")
	for _, d := range dirs {
		if id := filepath.Base(d); !strings.Contains(known, id) {
			ts.Setenv("RUNS", known+" "+id)
			ts.Setenv(args[0], id)
			return
		}
	}
	ts.Fatalf("no new run in work/runs")
}

// sealedBundle reports whether a file of the work store belongs to a bundle that
// says it is sealed.
func sealedBundle(root, rel string) bool {
	parts := strings.Split(rel, "/")
	if len(parts) < 4 {
		return false
	}
	index, err := os.ReadFile(filepath.Join(root, parts[0], parts[1], parts[2], "bundle.json"))
	return err == nil && strings.Contains(string(index), `"encryption": "parquet"`)
}

// nowhere VALUE…: none of the values stands in what the program has said so far,
// nor in a file of the work store, unpacked; bundles in clear, which are the values, apart.
// Of a phone number its ten digits are looked for.
func nowhere(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: nowhere VALUE…")
	}
	texts := map[string][]byte{}
	var err error
	if texts["what was said"], err = os.ReadFile(ts.Getenv("SAID")); err != nil && !os.IsNotExist(err) {
		ts.Fatalf("%v", err)
	}
	root := ts.MkAbs("work")
	err = filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		bundled := strings.HasPrefix(rel, "bundles/")
		if bundled && !sealedBundle(root, rel) {
			return nil
		}
		b, err := os.ReadFile(name)
		if err == nil && strings.HasSuffix(name, ".parquet") && !bundled {
			b, err = cells(b)
		}
		texts[rel] = append([]byte(rel+"\n"), b...)
		return err
	})
	ts.Check(err)
	for _, v := range args {
		digits := strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, v)
		if strings.HasPrefix(v, "+") && len(digits) >= 10 {
			v = digits[len(digits)-10:]
		}
		for where, text := range texts {
			if bytes.Contains(text, []byte(v)) {
				ts.Fatalf("%s holds %s", where, v)
			}
		}
	}
}

// cells are the values of a Parquet file, a line each.
func cells(b []byte) ([]byte, error) {
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, g := range f.RowGroups() {
		rows := g.Rows()
		buf := make([]parquet.Row, 64)
		for {
			n, err := rows.ReadRows(buf)
			for _, row := range buf[:n] {
				for _, v := range row {
					fmt.Fprintln(&out, v)
				}
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, err
			}
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// gz FILE TO: packs a file.
func gz(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: gz FILE TO")
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Check(w.Close())
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[1])), 0o700))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o600))
}

// cut FILE N: takes the last N bytes off a file.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b[:len(b)-n], 0o600))
}

// s3 BUCKET…: starts an S3 server of the script's own ($S3) with these buckets,
// and lets the program in. A bucket "name:versioned" keeps versions, "name:locked"
// knows object locks, too.
func startS3(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: s3 BUCKET…")
	}
	dir := ts.MkAbs(".s3")
	ts.Check(os.MkdirAll(dir, 0o700))
	self, err := os.Executable()
	ts.Check(err)
	c := exec.Command(self, append([]string{dir}, args...)...)
	c.Args[0] = "s3server" // testscript.Main goes by it
	stdin, err := c.StdinPipe()
	ts.Check(err)
	stdout, err := c.StdoutPipe()
	ts.Check(err)
	c.Stderr = os.Stderr
	ts.Check(c.Start())
	ts.Defer(func() {
		_ = stdin.Close() // ends it
		_ = c.Wait()
	})
	line, err := io.ReadAll(stdout)
	ts.Check(err)
	lines := strings.Split(strings.TrimSpace(string(line)), "\n") // the server says a word of its own first
	fields := strings.Fields(lines[len(lines)-1])
	if len(fields) != 3 {
		ts.Fatalf("the S3 server did not start: %q", line)
	}
	ts.Setenv("S3", fields[0])
	for _, of := range []string{"AWS", "OWNER"} {
		ts.Setenv(of+"_ACCESS_KEY_ID", fields[1])
		ts.Setenv(of+"_SECRET_ACCESS_KEY", fields[2])
	}
}

// The user of the script's S3 server whom the program is from `deny` on.
const userKey, userSecret = "eraser", "eraser-local-only"

// serve is the S3 server as a program; it ends with its stdin.
func serve() {
	ctx := context.Background()
	s, err := s3server.Start(ctx, os.Args[1], s3server.Options{Users: map[string]string{userKey: userSecret}})
	for _, b := range os.Args[2:] {
		name, how, _ := strings.Cut(b, ":")
		if err == nil && how == "locked" {
			err = s.CreateLockedBucket(ctx, name)
		} else if err == nil {
			err = s.CreateBucket(ctx, name, how == "versioned")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.Endpoint, s.AccessKey, s.SecretKey)
	os.Stdout.Close()
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = s.Close()
}

// upload FILE BUCKET/KEY: puts a file into the script's S3 server.
func upload(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: upload FILE BUCKET/KEY")
	}
	bucket, key, _ := strings.Cut(args[1], "/")
	_, err := clientOf(ts).PutObject(context.Background(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(ts.ReadFile(args[0]))})
	ts.Check(err)
}

// clientOf is a plain client on the script's S3 server, of its owner.
func clientOf(ts *testscript.TestScript) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(ts.Getenv("S3")), UsePathStyle: true, Region: "us-east-1",
		Credentials: credentials.NewStaticCredentialsProvider(ts.Getenv("OWNER_ACCESS_KEY_ID"), ts.Getenv("OWNER_SECRET_ACCESS_KEY"), ""),
	})
}
