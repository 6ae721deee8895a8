package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"expunge/connectors"
	"expunge/connectors/fault"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/output"
	"expunge/pipeline/seal"
	"expunge/scanners"
)

// whole are two whole objects beside a row.
func whole() []Row {
	a, b := row("calls", -1, "", pipeline.NoTime), row("calls", -1, "", pipeline.NoTime)
	a.Object.ID, a.Object.URL = "aaaa", "file:///lake/a.wav"
	b.Object.ID, b.Object.URL = "bbbb", "file:///lake/b.wav"
	return []Row{a, b, row("calls", 0, `{"phone":"+14045550123"}`, pipeline.NoTime)}
}

// unreadableFirst opens every object but the first.
func unreadableFirst(open func() (io.ReadCloser, error)) func(context.Context, Row) (io.ReadCloser, int64, error) {
	return func(_ context.Context, r Row) (io.ReadCloser, int64, error) {
		if r.Object.ID == "aaaa" {
			body, err := open()
			return body, 0, err
		}
		return io.NopCloser(strings.NewReader("RIFF")), 0, nil
	}
}

func indexOf(t *testing.T, files map[string][]byte) Index {
	t.Helper()
	var x Index
	if err := json.Unmarshal(files["bundle.json"], &x); err != nil {
		t.Fatal(err)
	}
	return x
}

// TestObjectsThatCannotBeReadAreWithheld: whatever the lake's store says against
// an object, the bundle has all the rest and says what is missing, and why.
func TestObjectsThatCannotBeReadAreWithheld(t *testing.T) {
	for _, c := range []struct {
		code string
		open func() (io.ReadCloser, error)
	}{
		{Vanished, func() (io.ReadCloser, error) { return nil, fmt.Errorf("open a.wav: %w", connectors.ErrNotFound) }},
		{Changed, func() (io.ReadCloser, error) { return nil, connectors.ErrChanged }},
		{Denied, func() (io.ReadCloser, error) { return nil, connectors.ErrDenied }},
		{Archived, func() (io.ReadCloser, error) { return nil, connectors.ErrArchived }},
		{Unreadable, func() (io.ReadCloser, error) { return nil, errors.New("a.wav: no such luck") }},
		{"UNSUPPORTED", func() (io.ReadCloser, error) {
			return nil, &scanners.Refusal{Code: scanners.Unsupported, Name: "a.wav", Err: errors.New("no such luck")}
		}},
		{Changed, func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("RI"), iotest.ErrReader(connectors.ErrChanged))), nil
		}},
	} {
		in := input(whole())
		in.Open = unreadableFirst(c.open)
		work := mem.New("work", mem.Options{})
		res, err := Write(t.Context(), work, in)
		if err != nil {
			t.Errorf("%s: %v", c.code, err)
			continue
		}
		files := write(t, work, in)
		if res.Missing != 1 || res.Why != "1 "+c.code {
			t.Errorf("%s: %d missing: %q", c.code, res.Missing, res.Why)
		}
		if string(files["files/calls/bbbb.wav"]) != "RIFF" || files["files/calls/aaaa.wav"] != nil || files["data/calls.jsonl"] == nil {
			t.Errorf("%s: the bundle does not have the rest", c.code)
		}
		want := []Withheld{{Dataset: "calls", Path: "files/calls/aaaa.wav", Object: "file:///lake/a.wav", Code: c.code, Count: 1}}
		got := indexOf(t, files).Withheld
		if len(got) == 1 && got[0].Reason != "" && !strings.Contains(got[0].Reason, "luck") {
			got[0].Reason = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: withheld (-want +got):\n%s", c.code, diff)
		}
		if page := files["index.html"]; !bytes.Contains(page, []byte(c.code)) || bytes.Contains(page, []byte("file://")) {
			t.Errorf("%s: the page does not say so", c.code)
		}
	}
}

// TestOthersAreWithheld: what was left out of an object, since it is of other people, is
// counted, and the object is not missing.
func TestOthersAreWithheld(t *testing.T) {
	in := input(whole())
	in.Open = func(_ context.Context, r Row) (io.ReadCloser, int64, error) {
		if r.Object.ID == "aaaa" {
			return io.NopCloser(strings.NewReader("RI")), 3, nil
		}
		return io.NopCloser(strings.NewReader("RIFF")), 0, nil
	}
	work := mem.New("work", mem.Options{})
	res, err := Write(t.Context(), work, in)
	if err != nil || res.Missing != 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	files := write(t, work, in)
	want := []Withheld{{Dataset: "calls", Object: "file:///lake/a.wav", Code: Others, Reason: "records of other people in an object that is named after the consumer", Count: 3}}
	if diff := cmp.Diff(want, indexOf(t, files).Withheld); diff != "" {
		t.Errorf("withheld (-want +got):\n%s", diff)
	}
	if string(files["files/calls/aaaa.wav"]) != "RI" || !bytes.Contains(files["index.html"], []byte("OTHERS")) || bytes.Contains(files["index.html"], []byte("file://")) {
		t.Error("the file is not there, or the page does not say what it lacks")
	}
}

// TestCancelledIsNotWithheld: an object is not given up because the run stops.
func TestCancelledIsNotWithheld(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in := input(whole())
	in.Open = unreadableFirst(func() (io.ReadCloser, error) { cancel(); return nil, ctx.Err() })
	if _, err := Write(ctx, mem.New("work", mem.Options{}), in); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// TestTriesOfARunAreOne: what the lake has become between two tries of one run
// changes nothing in a bundle that the first has completed.
func TestTriesOfARunAreOne(t *testing.T) {
	gone := unreadableFirst(func() (io.ReadCloser, error) { return nil, connectors.ErrNotFound })
	others := func(_ context.Context, r Row) (io.ReadCloser, int64, error) {
		n := int64(0)
		if r.Object.ID == "aaaa" {
			n = 3
		}
		return io.NopCloser(strings.NewReader("RIFF")), n, nil
	}
	for _, c := range []struct {
		name          string
		first, second func(context.Context, Row) (io.ReadCloser, int64, error)
		missing       int64
	}{
		{"vanished between", input(nil).Open, gone, 0},
		{"vanished between, with others' records", others, gone, 0},
		{"back again", gone, input(nil).Open, 1},
	} {
		in := input(whole())
		in.Run = "run-1"
		work := mem.New("work", mem.Options{})
		in.Open = c.first
		first := write(t, work, in)
		in.Open = c.second
		res, err := Write(t.Context(), work, in)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if res.Missing != c.missing {
			t.Errorf("%s: %d missing, want %d", c.name, res.Missing, c.missing)
		}
		if diff := cmp.Diff(first, write(t, work, in)); diff != "" {
			t.Errorf("%s: the bundle has changed", c.name)
		}
	}
}

// TestATamperedBundleIsNotOverwritten: a file of a complete bundle that is not what
// the run writes stays for people to look into.
func TestATamperedBundleIsNotOverwritten(t *testing.T) {
	t.Run("in clear", func(t *testing.T) { tampered(t, false, "") })
	t.Run("sealed", func(t *testing.T) { tampered(t, true, boxed) })
}

func tampered(t *testing.T, sealed bool, suffix string) {
	for _, file := range []string{"data/calls.parquet", "data/calls.jsonl" + suffix, "files/calls/bbbb.wav" + suffix, "index.html" + suffix, "categories.parquet", "bundle.json"} {
		in := input(whole())
		in.Run, in.Sealed = "run-1", sealed
		work := mem.New("work", mem.Options{})
		tampered := write(t, work, in)[file]
		tampered = append(tampered, ' ')
		work.Overwrite("bundles/acme/r1/"+file, tampered)
		_, err := Write(t.Context(), work, in)
		forged := file == "bundle.json" // told before anything is compared
		if !forged && !errors.Is(err, output.ErrDiffers) || forged && !errors.Is(err, seal.ErrForged) || !strings.Contains(err.Error(), "bundles/acme/r1/"+file) {
			t.Errorf("%s: %v, want that it differs", file, err)
		}
		body, err := work.Open(t.Context(), connectors.Ref{Key: "bundles/acme/r1/" + file}, connectors.All)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(body); err != nil || !bytes.Equal(b, tampered) {
			t.Errorf("%s was overwritten", file)
		}
		body.Close()
	}
}

// TestTwoRunsAreNeverMixed kills a run that replaces another's bundle at each of
// its operations on the work store: whenever bundle.json stands, the files are those
// that it names. Done again, the run gives what it gives undisturbed.
func TestTwoRunsAreNeverMixed(t *testing.T) {
	t.Run("in clear", func(t *testing.T) { twoRuns(t, false, false, testKeys(t, 7)) })
	t.Run("sealed", func(t *testing.T) { twoRuns(t, true, true, testKeys(t, 7)) })
	t.Run("in clear, then sealed", func(t *testing.T) { twoRuns(t, false, true, testKeys(t, 7)) })
	t.Run("after a rotation", func(t *testing.T) { twoRuns(t, true, true, testKeys(t, 9, 7)) })
}

func twoRuns(t *testing.T, sealedBefore, sealed bool, keys *seal.Keys) {
	old := input([]Row{row("calls", 0, `{"phone":"+14045550123","old":true}`, pipeline.NoTime), whole()[0]})
	old.Run, old.Sealed = "run-1", sealedBefore
	in := input(whole())
	in.Run, in.Keys, in.Sealed = "run-2", keys, sealed
	want := write(t, mem.New("calm", mem.Options{}), in)
	for n := 1; ; n++ {
		work := mem.New("work", mem.Options{})
		write(t, work, old)
		dying := fault.New(work)
		dying.Plan = fault.At(n, fault.Fault{Stop: true, After: n%2 == 0})
		res, err := Write(t.Context(), dying, in)
		if err == nil {
			if n < 20 {
				t.Errorf("only %d operations", n-1)
			}
			if res.Superseded != "run-1" {
				t.Errorf("superseded %q", res.Superseded)
			}
			break
		}
		if body, err := work.Open(t.Context(), connectors.Ref{Key: "bundles/acme/r1/bundle.json"}, connectors.All); err == nil {
			body.Close()
			files := map[string][]byte{}
			for o := range work.List(t.Context(), "bundles/acme/r1/") {
				body, err := work.Open(t.Context(), o.Ref, connectors.All)
				if err != nil {
					t.Fatal(err)
				}
				files[strings.TrimPrefix(o.Key, "bundles/acme/r1/")], _ = io.ReadAll(body)
				body.Close()
			}
			x := indexOf(t, files)
			if len(x.Files)+1 != len(files) {
				t.Errorf("killed at %d: %d files, %d are named", n, len(files)-1, len(x.Files))
			}
			for _, f := range x.Files {
				if sum, _, _ := output.Digest(bytes.NewReader(files[f.Path])); sum != f.SHA256 {
					t.Errorf("killed at %d: %s is not of run %s", n, f.Path, x.Run)
				}
			}
		}
		if diff := cmp.Diff(want, write(t, work, in)); diff != "" {
			t.Errorf("killed at %d, and done again: other files than undisturbed", n)
		}
	}
}

// TestLargeColumnsGiveEqualBytes: a column of more distinct values than a
// dictionary usually takes is written the same each time.
func TestLargeColumnsGiveEqualBytes(t *testing.T) {
	var list []string
	for i := range 3000 { // dictionaries are measured every 1024 rows
		list = append(list, fmt.Sprintf(`{"text":"%04d%s"}`, i, strings.Repeat("x", 2<<10)))
	}
	in := input(docs(list...))
	want := write(t, mem.New("work", mem.Options{}), in)["data/calls.parquet"]
	for range 8 { // what two things are listed in is a toss-up
		if !bytes.Equal(want, write(t, mem.New("work", mem.Options{}), in)["data/calls.parquet"]) {
			t.Fatal("other bytes")
		}
	}
}

// TestResumedAfterARotation: a bundle that was sealed with the key of before is
// written anew with the one of now.
func TestResumedAfterARotation(t *testing.T) {
	in := input(whole())
	in.Run, in.Sealed = "run-1", true
	work := mem.New("work", mem.Options{})
	write(t, work, in)
	in.Keys = testKeys(t, 9, 7)
	again := write(t, work, in)
	if diff := cmp.Diff(write(t, mem.New("other", mem.Options{}), in), again); diff != "" {
		t.Error("other files than undisturbed")
	}
	if err := Check(t.Context(), work, testKeys(t, 9), requestRef, "run-1"); err != nil {
		t.Error(err)
	}
}

// TestABundleCannotBeDowngraded: who may write where bundles lie, and has no key, can
// put nothing in the place of one, sealed or not: not a list of files of their own, not
// another digest, not the list in clear of an earlier build or of another place.
func TestABundleCannotBeDowngraded(t *testing.T) {
	const page = "<p>nothing is held</p>"
	sum, _, err := output.Digest(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for _, sealed := range []bool{false, true} {
		in := input(whole())
		in.Run, in.Sealed = "run-1", sealed
		base := write(t, mem.New("work", mem.Options{}), in)["bundle.json"]
		other := input(whole())
		other.Run, other.Request = "run-1", &pipeline.Request{ID: "r2", Account: "acme", Rights: in.Request.Rights}
		elsewhere := mem.New("work", mem.Options{})
		write(t, elsewhere, other)
		foreign, err := connectors.ReadAll(t.Context(), elsewhere, "bundles/acme/r2/bundle.json")
		if err != nil {
			t.Fatal(err)
		}
		own, err := json.Marshal(Index{Version: 1, Run: "run-1", Request: "r1", Account: "acme", Encryption: Unsealed, Files: []File{{Path: "index.html", SHA256: sum}}})
		if err != nil {
			t.Fatal(err)
		}
		for name, forged := range map[string][]byte{
			"files of their own": own, "no encryption": bytes.Replace(own, []byte(`"none"`), []byte(`""`), 1), "another request's": foreign,
			"one that says it is not sealed": bytes.Replace(base, []byte(`"parquet"`), []byte(`"none"`), 1),
			"no MAC":                         append(bytes.Clone(base[:bytes.LastIndex(base, []byte(`,`))]), "\n}\n"...),
			"another digest":                 bytes.Replace(base, []byte(`"sha256": "`), []byte(`"sha256": "0`), 1),
		} {
			if bytes.Equal(forged, base) {
				continue // a bundle in clear says so anyhow
			}
			work := mem.New("work", mem.Options{})
			write(t, work, in)
			work.Overwrite("bundles/acme/r1/index.html", []byte(page))
			work.Overwrite("bundles/acme/r1/bundle.json", forged)
			for what, err := range map[string]error{
				"Check": Check(t.Context(), work, in.Keys, requestRef, "run-1"),
				"Open":  second(Open(t.Context(), work, in.Keys, "bundles/acme/r1/bundle.json")),
				"Write": second(Write(t.Context(), work, in)),
			} {
				if !errors.Is(err, seal.ErrForged) || !strings.Contains(err.Error(), "bundles/acme/r1/bundle.json") {
					t.Errorf("sealed %v: %s: %s: %v, want ErrForged", sealed, name, what, err)
				}
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }
