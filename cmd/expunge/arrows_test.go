package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

var (
	// steps never import each other; all else below pipeline is a leaf.
	steps = []string{"intake", "plan", "scan", "bundle", "tombstone", "erase", "verify", "report"}

	// scannerHelpers are packages below scanners that scanners are made of.
	scannerHelpers = []string{"compress", "lines", "walk", "detect"}

	// testOnly hold tests to run on implementations; only tests import them.
	testOnly = []string{"expunge/connectors/storetest", "expunge/connectors/fault", "expunge/connectors/mem", "expunge/scanners/scantest"}

	// unlinkable: two of the same library in one binary do not start.
	unlinkable = []string{"github.com/apache/arrow/go/v18", "github.com/apache/arrow-go/v18"}
)

// wrong says why package from, tests apart, must not import package to, or "".
// It is the rooms and arrows of the design: cmd → steps → leaves → pipeline,
// connectors, scanners; implementations are known to cmd alone.
func wrong(from, to string) string {
	for _, p := range unlinkable {
		if below(to, p) {
			return "arrow v15 is the one that is linked"
		}
	}
	if !below(to, "expunge") {
		return ""
	}
	fromRoom, fromRest := split(from)
	toRoom, toRest := split(to)
	fromName, _, _ := strings.Cut(fromRest, "/")
	toName, _, _ := strings.Cut(toRest, "/")
	same := fromRoom == toRoom && fromName == toName
	switch {
	case toRoom == "cmd":
		return "nothing imports a command"
	case fromRoom == "testdata":
		if toRoom != "testdata" {
			return "testdata imports nothing of ours, so that what it says is independent"
		}
		return ""
	case toRoom == "testdata":
		return "only tests import testdata"
	case slices.Contains(testOnly, to):
		return "only tests import it"
	case fromRoom == "cmd":
		return ""
	case same && fromRest != "":
		return "" // a package and those below it
	case fromRoom == "connectors" || fromRoom == "scanners":
		switch {
		case toRoom != fromRoom:
			return "connectors and scanners know neither each other nor the pipeline"
		case fromRest == "":
			return "a root imports no implementation"
		case toRest == "" || fromRoom == "scanners" && slices.Contains(scannerHelpers, toName):
			return ""
		}
		return "implementations do not know each other"
	case fromRoom == "pipeline":
		switch {
		case toRoom != "pipeline" && toRest != "":
			return "only cmd names implementations"
		case toRoom != "pipeline" || toRest == "":
			return ""
		case fromRest == "":
			return "the data that passes between steps knows neither steps nor leaves"
		case !slices.Contains(steps, toName):
			return ""
		case slices.Contains(steps, fromName):
			return "steps do not import each other"
		}
		return "a leaf imports no step"
	}
	return "a folder without a room in the design"
}

// split cuts expunge/room/rest.
func split(path string) (room, rest string) {
	room, rest, _ = strings.Cut(strings.TrimPrefix(path, "expunge/"), "/")
	return room, rest
}

func below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

func TestArrows(t *testing.T) {
	packages := list(t, "./...", "./testdata/lake/...", "./testdata/s3server/...", "./testdata/demo/...")
	if len(packages) < 20 {
		t.Fatalf("only %d packages are listed", len(packages))
	}
	if !slices.ContainsFunc(packages, func(p listed) bool { return p.ImportPath == "expunge/testdata/lake" }) {
		t.Fatal("the packages in testdata are not listed")
	}
	for _, p := range packages {
		for _, to := range p.Imports {
			if why := wrong(p.ImportPath, to); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, to, why)
			}
		}
		for _, to := range slices.Concat(p.TestImports, p.XTestImports) {
			switch {
			case slices.ContainsFunc(unlinkable, func(u string) bool { return below(to, u) }):
				t.Errorf("tests of %s import %s, but arrow v15 is the one that is linked", p.ImportPath, to)
			case below(p.ImportPath, "expunge/testdata") && below(to, "expunge") && !below(to, "expunge/testdata"):
				t.Errorf("tests of %s import %s: testdata imports nothing of ours", p.ImportPath, to)
			}
		}
	}
}

// TestLinked looks at all that the shipped program is made of.
func TestLinked(t *testing.T) {
	linked := list(t, "-deps", "./cmd/expunge")
	if len(linked) < 100 {
		t.Fatalf("only %d packages are listed", len(linked))
	}
	for _, p := range linked {
		for _, no := range append([]string{"github.com/versity/versitygw", "expunge/testdata", "expunge/connectors/fault", "expunge/connectors/storetest", "expunge/scanners/scantest"}, unlinkable...) {
			if below(p.ImportPath, no) {
				t.Errorf("the program links %s", p.ImportPath)
			}
		}
	}
}

// TestWrong shows the rule both what it must refuse and what it must let pass.
func TestWrong(t *testing.T) {
	for _, c := range []struct {
		from, to string
		fine     bool
	}{
		{"expunge/cmd/expunge", "expunge/connectors/s3", true},
		{"expunge/cmd/expunge", "expunge/connectors/mem", false},
		{"expunge/cmd/expunge", "expunge/testdata/s3server", false},
		{"expunge/pipeline/scan", "expunge/pipeline/identity", true},
		{"expunge/pipeline/scan", "expunge/pipeline/plan", false},
		{"expunge/pipeline/scan", "expunge/connectors", true},
		{"expunge/pipeline/scan", "expunge/scanners/jsonl", false},
		{"expunge/pipeline/catalog", "expunge/pipeline/scan", false},
		{"expunge/pipeline/catalog", "expunge/pipeline/seal", true},
		{"expunge/pipeline", "expunge/pipeline/seal", false},
		{"expunge/pipeline", "expunge/scanners", true},
		{"expunge/pipeline/seal", "expunge/cmd/expunge", false},
		{"expunge/connectors/s3", "expunge/connectors", true},
		{"expunge/connectors/s3", "expunge/connectors/dir", false},
		{"expunge/connectors/s3", "expunge/scanners", false},
		{"expunge/connectors", "expunge/connectors/dir", false},
		{"expunge/connectors", "expunge/pipeline", false},
		{"expunge/scanners/csv", "expunge/scanners/lines", true},
		{"expunge/scanners/csv", "expunge/scanners/jsonl", false},
		{"expunge/scanners/csv", "expunge/scanners/scantest", false},
		{"expunge/scanners/compress", "expunge/scanners/compress/inflate", true},
		{"expunge/scanners", "expunge/pipeline", false},
		{"expunge/testdata/demo", "expunge/testdata/lake", true},
		{"expunge/testdata/demo", "expunge/connectors/s3", false},
		{"expunge/internal/helpers", "expunge/pipeline", false},
		{"expunge/pipeline/bundle", "github.com/apache/arrow/go/v15/arrow", true},
		{"expunge/pipeline/bundle", "github.com/apache/arrow-go/v18/arrow", false},
	} {
		if why := wrong(c.from, c.to); (why == "") != c.fine {
			t.Errorf("%s imports %s: %q", c.from, c.to, why)
		}
	}
}

// list asks the go command, from the root of the module.
func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports,TestImports,XTestImports"}, args...)...)
	cmd.Dir = "../.."
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list packages: %v\n%s", err, stderr.String())
	}
	var packages []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("read list of packages: %v", err)
		}
		packages = append(packages, p)
	}
}
