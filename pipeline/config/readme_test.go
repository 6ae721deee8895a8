package config

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// everySection has each mapping that a config may have.
const everySection = `
version: 1
name: all
work: {url: work}
signing: {}
approvers: {jo: {public_key: "JPxsGVvO7MJYgVVl2CpgbZ0H4gHKhIZ8nS9pVQHGHHQ="}}
stores: {lake: {url: lake}}
policy: {data_points: {}}
ignore: [{at: "lake/x/**", reason: "test"}]
bundles: {}
accounts: {acme: {data_points: {}, exceptions: [{dataset: calls, code: D1_TRANSACTION, instruction: t, fields: [id], review_by: "2027-01-01"}]}}
datasets:
  - name: calls
    at: "lake/calls/{recording_id}/*"
    account: {field: company}
    csv: {}
    disclosed: [{to: x, how: shared}]
    fields: {id: {kind: call_id, consumer_when: {field: direction, is: [outbound]}}}
    object: {recording_id: {kind: recording_id}}
    on_delete: {}
    business_numbers: {field: number}
`

// sections says how the README calls what the reader calls otherwise.
var sections = []struct{ what, path string }{
	{`the config`, ``}, {`work`, `work`}, {`signing`, `signing`}, {`approver jo`, `approvers.NAME`}, {`store lake`, `stores.NAME`}, {`policy`, `policy`}, {`policy's data_points`, `policy.data_points`},
	{`ignore`, `ignore[]`}, {`bundles`, `bundles`}, {`account acme`, `accounts.NAME`}, {`account acme's data_points`, `accounts.NAME.data_points`}, {`account acme's exception`, `accounts.NAME.exceptions[]`},
	{`dataset calls`, `datasets[]`}, {`dataset calls's account`, `datasets[].account`}, {`dataset calls's csv`, `datasets[].csv`},
	{`dataset calls's disclosed`, `datasets[].disclosed[]`}, {`dataset calls's field id`, `datasets[].fields.PATH`},
	{`dataset calls's field id's consumer_when`, `datasets[].fields.PATH.consumer_when`},
	{`dataset calls's capture recording_id`, `datasets[].object.CAPTURE`}, {`dataset calls's business_numbers`, `datasets[].business_numbers`}, {`dataset calls's on_delete`, `datasets[].on_delete`},
}

// Every key that the reader knows stands in the README's table, and no other.
func TestReadmeKnowsEveryKey(t *testing.T) {
	root, err := parseYAML("all.yaml", []byte(everySection))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	r := &reader{file: "all.yaml", dir: t.TempDir(), knows: func(what string, keys []string) {
		for _, s := range sections {
			if s.what != what {
				continue
			}
			for _, k := range keys {
				known[strings.TrimPrefix(s.path+"."+k, ".")] = true
			}
			return
		}
		t.Errorf("the README has no section for %q", what)
	}}
	r.config(root)
	for _, p := range r.problems {
		if !strings.Contains(p.Text, "public_key") {
			t.Error(p)
		}
	}
	// A key whose mapping has rows of its own needs none itself.
	for k := range maps.Clone(known) {
		for other := range known {
			if strings.HasPrefix(other, k+".") || strings.HasPrefix(other, k+"[].") {
				delete(known, k)
			}
		}
	}

	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(b), "\n## Config\n")
	if !found {
		t.Fatal("the README has no section Config")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`((?: `[^`]+`)*) \\|").FindAllStringSubmatch(text, -1) {
		first := m[1]
		told[first] = true
		section := first[:strings.LastIndexByte(first, '.')+1]
		for _, more := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[2], -1) {
			told[section+more[1]] = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(known)) {
		if !told[k] {
			t.Errorf("the README does not tell of %s", k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(told)) {
		if !known[k] {
			t.Errorf("the README tells of %s, which no config can have", k)
		}
	}
}
