package record_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/hamba/avro/v2/ocf"
	"github.com/parquet-go/parquet-go"

	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/record"
	"expunge/scanners"
	"expunge/scanners/avro"
	"expunge/scanners/csv"
	jsonfile "expunge/scanners/json"
	"expunge/scanners/jsonl"
	columns "expunge/scanners/parquet"
)

func TestRoleOf(t *testing.T) {
	to := &pipeline.Field{Path: "to", Kind: pipeline.Phone, When: &pipeline.When{Field: "direction", Is: []string{"outbound", "outbound-api"}, IsNot: []string{"inbound"}}}
	for _, c := range []struct {
		field  *pipeline.Field
		values []string
		want   record.Role
	}{
		{nil, nil, record.Own},
		{&pipeline.Field{Path: "to"}, nil, record.Own},
		{to, []string{"outbound"}, record.Own},
		{to, []string{" OUTBOUND-api"}, record.Own},
		{to, []string{"inbound"}, record.Other},
		{to, nil, record.Untold},
		{to, []string{""}, record.Untold},
		{to, []string{"outbound-dial"}, record.Untold},
		{to, []string{"inbound", "inbound"}, record.Other},
		{to, []string{"inbound", "outbound"}, record.Untold}, // a name that stands twice
		{to, []string{"outbound", "sideways"}, record.Untold},
		{to, []string{"sideways", "outbound"}, record.Untold},
	} {
		r := &scanners.Record{Leaves: []scanners.Leaf{{Path: "to", Value: []byte("inbound")}}}
		for _, v := range c.values {
			r.Leaves = append(r.Leaves, scanners.Leaf{Path: "direction", Value: []byte(v)})
		}
		if got := record.NewRoles(r).Of(c.field); got != c.want {
			t.Errorf("%q: %d, want %d", c.values, got, c.want)
		}
	}
}

// Fields hang on different fields of the record, and each is told once: a list of many
// elements, all of which hang on one that stands last, takes no longer than another.
func TestForeign(t *testing.T) {
	fields := []pipeline.Field{
		{Path: "from[]", When: &pipeline.When{Field: "direction", Is: []string{"in"}, IsNot: []string{"out"}}},
		{Path: "note"},
		{Path: "owner", When: &pipeline.When{Field: "kind", Is: []string{"in"}}},
		{Path: "to[]", When: &pipeline.When{Field: "direction", Is: []string{"out"}, IsNot: []string{"in"}}},
	}
	for direction, want := range map[string][]string{"in": {"owner", "to[]"}, "out": {"from[]", "owner"}, "": {"from[]", "owner", "to[]"}} {
		r := &scanners.Record{Leaves: make([]scanners.Leaf, 1<<20)}
		for i := range r.Leaves {
			r.Leaves[i].Path = "to[]"
		}
		r.Leaves = append(r.Leaves, scanners.Leaf{Path: "direction", Value: []byte(direction)})
		roles := record.NewRoles(r)
		for range r.Leaves {
			roles.Of(&fields[3])
		}
		if got := roles.Foreign(fields); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", direction, got, want)
		}
	}
}

// call is a row of a call log. Direction stands last, behind a column that makes the
// rows long, so that nobody comes upon it by chance.
type call struct {
	To        string `parquet:"to" avro:"to" json:"to"`
	Filler    string `parquet:"filler" avro:"filler" json:"filler"`
	Direction string `parquet:"direction" avro:"direction" json:"direction"`
}

// Whatever format a record comes in, and though nobody declared the field that tells
// the role, nor is it searched: each record that is found says it.
func TestRoleInFormats(t *testing.T) {
	const n = 400
	says := []string{"outbound", "inbound", "outbound", "sideways"}
	want := []record.Role{record.Own, record.Other, record.Own, record.Untold}
	calls := make([]call, n)
	for i := range calls {
		calls[i] = call{To: fmt.Sprintf("+140455501%02d", i%100), Filler: strings.Repeat("x", 50+i%7), Direction: says[i%4]}
	}
	files := map[string][]byte{}
	var lines, table, rows, blocks bytes.Buffer
	table.WriteString("to,filler,direction\n")
	enc := json.NewEncoder(&lines)
	columnar := parquet.NewGenericWriter[call](&rows, parquet.MaxRowsPerRowGroup(90), parquet.PageBufferSize(512))
	avroEnc, err := ocf.NewEncoder(`{"type":"record","name":"c","fields":[{"name":"to","type":"string"},{"name":"filler","type":"string"},{"name":"direction","type":"string"}]}`, &blocks)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range calls {
		fmt.Fprintf(&table, "%s,%s,%s\n", c.To, c.Filler, c.Direction)
		if err := enc.Encode(c); err != nil {
			t.Fatal(err)
		}
		if err := avroEnc.Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := columnar.Write(calls); err != nil {
		t.Fatal(err)
	}
	if err := columnar.Close(); err != nil {
		t.Fatal(err)
	}
	if err := avroEnc.Close(); err != nil {
		t.Fatal(err)
	}
	files["csv"], files["jsonl"], files["parquet"], files["avro"] = table.Bytes(), lines.Bytes(), rows.Bytes(), blocks.Bytes()
	if files["json"], err = json.Marshal(calls); err != nil {
		t.Fatal(err)
	}
	canon, err := identity.Normalise(pipeline.Phone, "+14045550101", "US") // of an inbound and of other calls
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.Normalise(pipeline.Phone, "+14045550147", "US") // of those that do not say
	if err != nil {
		t.Fatal(err)
	}
	set := identity.Compile(identity.Key{1}, "US", []identity.Needle{{Account: "acme", Canon: canon}, {Account: "acme", Canon: other}})
	fields := []pipeline.Field{{Path: "to", Kind: pipeline.Phone, When: &pipeline.When{Field: "direction", Is: []string{"outbound"}, IsNot: []string{"inbound"}}}}
	for _, s := range []scanners.Scanner{jsonl.Scanner{}, jsonfile.Scanner{}, csv.New(), columns.New(), avro.Scanner{}} {
		b := files[s.Format()]
		in := scanners.Input{Name: "test", Size: int64(len(b)), Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
			if n < 0 {
				n = int64(len(b)) - off
			}
			return io.NopCloser(io.NewSectionReader(bytes.NewReader(b), off, n)), nil
		}}
		f := set.Finder(identity.FinderOptions{Fields: fields, Account: "acme"})
		found := map[record.Role]int{}
		if _, err := s.Scan(t.Context(), in, f, func(r *scanners.Record) error {
			role := record.NewRoles(r).Of(f.Declared("to"))
			if found[role]++; role != want[r.Index%4] {
				t.Errorf("%s: record %d: %d, want %d", s.Format(), r.Index, role, want[r.Index%4])
			}
			return nil
		}); err != nil {
			t.Fatalf("%s: %v", s.Format(), err)
		}
		if found[record.Other] != 4 || found[record.Untold] != 4 || found[record.Own] != 0 {
			t.Errorf("%s: records found by role: %v", s.Format(), found)
		}
	}
}
