package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var flagName = regexp.MustCompile(`(?m)^ +(?:-[a-z], )?--([a-z-]+)`)

// Every command stands in the README's table, with all its flags.
func TestReadmeTellsEveryCommand(t *testing.T) {
	_, text, found := strings.Cut(readme(t), "\n## Commands\n")
	if !found {
		t.Fatal("the README has no section Commands")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	for _, c := range newRoot().Commands() {
		if c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		var row string
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "| `"+c.Name()+"`") || strings.HasPrefix(line, "| `"+c.Name()+" ") {
				row = line
			}
		}
		if row == "" {
			t.Errorf("the README's table of commands has no row for %s", c.Name())
			continue
		}
		all := []*cobra.Command{c}
		for _, sub := range c.Commands() {
			all = append(all, sub)
			if !strings.Contains(row, c.Name()+" "+sub.Name()) {
				t.Errorf("the README's row for %s does not tell of %s %s", c.Name(), c.Name(), sub.Name())
			}
		}
		for _, x := range all {
			for _, m := range flagName.FindAllStringSubmatch(x.LocalNonPersistentFlags().FlagUsages(), -1) {
				if m[1] != "help" && !regexp.MustCompile("--"+m[1]+"[^a-z-]").MatchString(row) {
					t.Errorf("the README's row for %s does not tell of --%s", c.Name(), m[1])
				}
			}
		}
	}
}

// Every command that a reader is told to type exists, with the flags that it has there.
func TestReadmeCommandsExist(t *testing.T) {
	line := regexp.MustCompile("(?m)(?:\\$ |bin/|`)expunge ([a-z][^`\\n#)]*)")
	seen := 0
	for _, name := range []string{"../../README.md", "../../configs/README.md", "../../configs/local.yaml", "../../configs/s3.yaml", "../../configs/systemd/expunge-nightly.service"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllStringSubmatch(string(b), -1) {
			seen++
			args := words(m[1])
			root := newRoot()
			c, rest, err := root.Find(args)
			if err != nil || c == root {
				t.Errorf("%s: there is no command %q", name, "expunge "+m[1])
				continue
			}
			if err := c.ParseFlags(rest); err != nil {
				t.Errorf("%s: %q: %v", name, "expunge "+m[1], err)
			}
		}
	}
	if seen < 12 {
		t.Errorf("only %d commands were found: the test looks for them in the wrong way", seen)
	}
}

// words splits a command line as a shell does that knows single quotes only.
func words(s string) []string {
	var out []string
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}
