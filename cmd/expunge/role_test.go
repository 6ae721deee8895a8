package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hamba/avro/v2/ocf"
	"github.com/parquet-go/parquet-go"
)

// leg is a record that says by its direction on which side of it the consumer is.
type leg struct {
	Direction string `json:"direction,omitempty" avro:"direction" parquet:"direction"`
	From      string `json:"from,omitempty" avro:"from" parquet:"from"`
	To        string `json:"to,omitempty" avro:"to" parquet:"to"`
	Visitor   string `json:"visitor,omitempty" avro:"visitor" parquet:"visitor"`
}

// TestRolesInBundles: in every format, what is found on the consumer's side of a record is
// acted upon, what is found on the other side or where the record does not say is for
// review, and leads nowhere. What is handed over does not show the other side. Erased and
// verified, what waits for review stays and is no residue.
func TestRolesInBundles(t *testing.T) {
	const ann, bob = "+14045550123", "+14045550199"
	legs := []leg{
		{"inbound", ann, bob, "v-000001"},
		{"outbound", bob, ann, ""},
		{"inbound", bob, ann, ""},
		{"outbound", ann, bob, "v-000003"},
		{"", ann, bob, "v-000004"},
		{"parked", "", ann, ""},
		{"", "", "", "v-000001"},
		{"", "", "", "v-000003"},
		{"", "", "", "v-000004"},
		{"outbound", bob, bob, ""},
	}
	acted, asked := []int64{0, 1, 6}, []int64{2, 3, 4, 5}
	bodies := map[string][]byte{}
	var lines, list, table, avro, columns bytes.Buffer
	w := csv.NewWriter(&table)
	rows := [][]string{{"direction", "from", "to", "visitor"}}
	const schema = `{"type":"record","name":"leg","fields":[{"name":"direction","type":"string"},{"name":"from","type":"string"},{"name":"to","type":"string"},{"name":"visitor","type":"string"}]}`
	enc, err := ocf.NewEncoder(schema, &avro)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range legs {
		if err := json.NewEncoder(&lines).Encode(l); err != nil {
			t.Fatal(err)
		}
		if err := enc.Encode(l); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, []string{l.Direction, l.From, l.To, l.Visitor})
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(&list).Encode(legs); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	if err := parquet.Write(&columns, legs); err != nil {
		t.Fatal(err)
	}
	bodies["jsonl"], bodies["json"], bodies["csv"], bodies["avro"], bodies["parquet"] = lines.Bytes(), list.Bytes(), table.Bytes(), avro.Bytes(), columns.Bytes()

	dir := t.TempDir()
	var config strings.Builder
	fmt.Fprintf(&config, "version: 1\nname: test\nwork: {url: work}\nstores: {lake: {url: lake}}\nbundles: {encryption: none}\naccounts: {acme: {}}\ndatasets:\n")
	for _, format := range slices.Sorted(maps.Keys(bodies)) {
		name := filepath.Join(dir, "lake", format, "acme", "legs."+format)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, bodies[format], 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&config, `  - name: %[1]s
    at: "lake/%[1]s/{account}/*"
    undeclared: ignore
    fields:
      from:    {kind: phone, consumer_when: {field: direction, is: [inbound], is_not: [outbound]}}
      to:      {kind: phone, consumer_when: {field: direction, is: [outbound], is_not: [inbound]}}
      visitor: {kind: visitor_id, link: true}
`, format)
	}
	do := doing(t, configured(t, filepath.Join(dir, "test.yaml"), config.String()))
	do("submit", "--account", "acme", "--request-id", "R-1", "--right", "access", "--right", "delete", "--phone", ann)
	do("run")
	got := outputs(t, dir, "work")
	var tombstones, review []found
	for format := range bodies {
		for _, n := range acted {
			tombstones = append(tombstones, found{"acme/R-1", format + "/acme/legs." + format, n})
		}
		for _, n := range asked {
			review = append(review, found{"acme/R-1", format + "/acme/legs." + format, n})
		}
	}
	compare(t, "tombstones", got.tombstones, tombstones, nil)
	compare(t, "review", got.review, review, nil)

	for format := range bodies {
		b, err := os.ReadFile(filepath.Join(dir, "work", "bundles", "acme", "R-1", "data", format+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		var sides [][2]string
		for line := range bytes.Lines(b) {
			var l leg
			if err := json.Unmarshal(line, &l); err != nil {
				t.Fatal(err)
			}
			sides = append(sides, [2]string{l.From, l.To})
		}
		if len(sides) == len(acted) {
			sides = sides[:2] // what only a link leads to has neither side
		}
		if want := [][2]string{{ann, "[other side]"}, {"[other side]", ann}}; !reflect.DeepEqual(sides, want) {
			t.Errorf("%s: handed over are %v, want %v", format, sides, want)
		}
	}

	run := onlyRun(t, filepath.Join(dir, "work"))
	if why := do("review", run, "--why"); strings.Count(why, ".other_role") != 2*len(bodies) || strings.Count(why, ".role_unknown") != 2*len(bodies) {
		t.Errorf("the reasons for review are others:\n%s", why)
	}
	do("approve", run, "--by", "jo")
	do("erase", run)
	do("verify", run)
}
