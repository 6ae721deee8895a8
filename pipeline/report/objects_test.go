package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"expunge/connectors"
	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/pipeline/naming"
	"expunge/pipeline/output"
	"expunge/pipeline/seal"
	"expunge/scanners"
)

const (
	calls = iota
	events
	recordings
)

var (
	jane = pipeline.RequestRef{Account: "acme", ID: "R-1"}
	john = pipeline.RequestRef{Account: "beta", ID: "R-2"}
)

func datasets() []pipeline.Dataset {
	return []pipeline.Dataset{
		calls:      {Name: "calls"},
		events:     {Name: "events", Account: "company_id"},
		recordings: {Name: "aaa-recordings", Object: map[string]pipeline.Field{"phone": {Kind: pipeline.Phone}}},
	}
}

func names(t testing.TB) *naming.Names {
	keys, err := seal.Open(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return &naming.Names{URLs: map[string]string{"lake": "s3://lake"}, Datasets: datasets(), Keys: keys}
}

func object(n int64, dataset int, account, key string) pipeline.Object {
	return pipeline.Object{N: n, Dataset: dataset, Account: account, Object: connectors.Object{
		Ref: connectors.Ref{Store: "lake", Key: key, ETag: fmt.Sprintf("e%d", n)}, Size: 100 + n,
	}}
}

// lake is a small plan with every way an object can end.
type lake struct {
	joined []catalog.Joined
	rounds [][]*pipeline.UnitResult
}

func (l *lake) plan(o pipeline.Object, e *catalog.Entry) {
	l.joined = append(l.joined, catalog.Joined{Object: o, Entry: e})
}

func (l *lake) unit(round int, u pipeline.UnitResult) {
	for len(l.rounds) < round {
		l.rounds = append(l.rounds, nil)
	}
	if u.Outcome == "" {
		u.Outcome = pipeline.Scanned
	}
	u.Fresh = round == 1 && u.Part.Group == 0 // the one part that begins at a row group was known before
	l.rounds[round-1] = append(l.rounds[round-1], &u)
}

func seq[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range list {
			if !yield(x, nil) {
				return
			}
		}
	}
}

func (l *lake) source(t testing.TB) Source {
	return Source{
		Joined: func() iter.Seq2[catalog.Joined, error] { return seq(l.joined) },
		Units:  func(round int) iter.Seq2[*pipeline.UnitResult, error] { return seq(l.rounds[round-1]) },
		Rounds: len(l.rounds), Names: names(t), Datasets: datasets(),
	}
}

func everyEnd() *lake {
	l := &lake{}
	// 0: split in three, scanned for the first time; opened again in round 2.
	o := object(0, calls, "acme", "calls/a split.jsonl")
	l.plan(o, &catalog.Entry{Records: 999, Rows: map[string]int64{"acme": 999}}) // of before: the scan knows better
	l.unit(1, pipeline.UnitResult{Object: o, Part: scanners.Part{Len: 40}, Cataloged: true, Records: 10, Rows: map[string]int64{"acme": 10}, Bytes: 40, Hits: 1})
	l.unit(1, pipeline.UnitResult{Object: o, Part: scanners.Part{Off: 40, Len: 40}, Cataloged: true, Records: 5, Rows: map[string]int64{"acme": 5}, Bytes: 40, Malformed: 2})
	l.unit(1, pipeline.UnitResult{Object: o, Part: scanners.Part{Off: 80, Len: 20}, Cataloged: true, Records: 3, Rows: map[string]int64{"acme": 3}, Bytes: 20, Malformed: 1})
	l.unit(2, pipeline.UnitResult{Object: o, Part: scanners.Part{Off: 40, Len: 40}, Cataloged: true, Records: 5, Bytes: 40, Hits: 2, Malformed: 2}) // only round 1 counts records

	// 1: scanned well in round 1, refused in round 2.
	o = object(1, calls, "acme", "calls/changed.jsonl")
	l.plan(o, nil)
	l.unit(1, pipeline.UnitResult{Object: o, Cataloged: true, Records: 7, Rows: map[string]int64{"acme": 7}, Bytes: 101})
	l.unit(2, pipeline.UnitResult{Object: o, Outcome: pipeline.Refused, Code: "CHANGED", Reason: "open it: changed", Bytes: 1})

	// 2: known to the catalog, and nothing asked for is in it.
	l.plan(object(2, calls, "beta", "calls/known.jsonl"), &catalog.Entry{Records: 20, Malformed: 4, Rows: map[string]int64{"beta": 20}})

	// 3: known to the catalog; a segment of it was opened.
	o = object(3, events, "", "events/segment.parquet")
	o.Version = "v1"
	l.plan(o, &catalog.Entry{Records: 50, Rows: map[string]int64{"acme": 30, "beta": 18}, Unattributed: 1, Misattributed: 1})
	l.unit(1, pipeline.UnitResult{Object: o, Part: scanners.Part{Group: 1, Groups: 1}, Records: 25, Rows: map[string]int64{"acme": 25}, Unattributed: 1, Bytes: 60, Strayed: []pipeline.RequestRef{jane}})
	l.unit(2, pipeline.UnitResult{Object: o, Part: scanners.Part{Group: 1, Groups: 1}, Records: 25, Rows: map[string]int64{"acme": 25}, Unattributed: 1, Bytes: 60, Strayed: []pipeline.RequestRef{jane, john}})

	// 4: an older version, scanned; 5: refused, any account; 6, 7, 8: the plan's word.
	o = object(4, calls, "acme", "calls/z old.jsonl")
	o.Version, o.Noncurrent = "v0", true
	l.plan(o, nil)
	l.unit(1, pipeline.UnitResult{Object: o, Cataloged: true, Records: 6, Rows: map[string]int64{"acme": 6}, Bytes: 104})

	o = object(5, events, "", "events/torn.parquet")
	l.plan(o, nil)
	l.unit(1, pipeline.UnitResult{Object: o, Outcome: pipeline.Refused, Code: "TRUNCATED", Reason: "no footer", Malformed: 1, Bytes: 8})

	o = object(6, -1, "", "tmp/x")
	o.Outcome, o.Code, o.Reason = pipeline.Skipped, "IGNORED", "scratch"
	l.plan(o, nil)
	o = object(7, -1, "", "jane@example.com/x")
	o.Outcome, o.Code, o.Reason = pipeline.Refused, "UNDECLARED", "no dataset claims it"
	l.plan(o, nil)
	o = object(8, calls, "gamma", "calls/gamma.jsonl")
	o.Outcome, o.Code, o.Reason = pipeline.Pruned, "NO_REQUEST", "its account has no open request"
	l.plan(o, &catalog.Entry{Records: 11, Rows: map[string]int64{"gamma": 11}})

	// 9: the key is a phone number, and the store's error names it.
	o = object(9, recordings, "acme", "rec/+14045550123.mp3")
	o.Captures = map[string]string{"phone": "+14045550123"}
	l.plan(o, nil)
	l.unit(1, pipeline.UnitResult{Object: o, Outcome: pipeline.Refused, Code: "DENIED", Reason: `open "rec/+14045550123.mp3": access denied`})

	// 10: nobody speaks of it.
	l.plan(object(10, calls, "acme", "zz/lost.jsonl"), nil)
	// 11: two parts of a first scan, the second refused.
	o = object(11, calls, "acme", "zz/torn.jsonl")
	l.plan(o, nil)
	l.unit(1, pipeline.UnitResult{Object: o, Part: scanners.Part{Len: 50}, Cataloged: true, Records: 4, Rows: map[string]int64{"acme": 4}, Hits: 1, Bytes: 50})
	l.unit(1, pipeline.UnitResult{Object: o, Part: scanners.Part{Off: 50, Len: 61}, Outcome: pipeline.Refused, Code: "MALFORMED", Reason: "1 record", Malformed: 1, Bytes: 61})
	return l
}

func read(t testing.TB, work connectors.Store, key string) []byte {
	t.Helper()
	body, err := work.Open(context.Background(), connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readRows(t testing.TB, work connectors.Store, key string) []Row {
	t.Helper()
	b := read(t, work, key)
	rows, err := parquet.Read[Row](bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func keysOf(t testing.TB, work connectors.Store) []string {
	t.Helper()
	var keys []string
	for o, err := range work.List(context.Background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

func line(r *Row) string {
	text := func(s *string) string {
		if s == nil {
			return "null"
		}
		return *s
	}
	rows := "null"
	if r.Rows != nil {
		rows = fmt.Sprint(*r.Rows)
	}
	return fmt.Sprintf("%s|%s|%s|%d|%s|%s|%s|%d|%s", r.Object, text(r.Version), r.ETag, r.Size, text(r.Dataset), r.Outcome, rows, r.Malformed, r.Reason)
}

func TestObjects(t *testing.T) {
	work := mem.New("work", mem.Options{})
	got, err := Objects(context.Background(), work, "r1", everyEnd().source(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"s3://lake/calls/a%20split.jsonl|null|e0|100|calls|scanned|18|3|",
		"s3://lake/calls/changed.jsonl|null|e1|101|calls|refused|null|0|CHANGED: open it: changed",
		"s3://lake/calls/known.jsonl|null|e2|102|calls|skipped|20|4|CATALOG: nothing asked for is in it",
		"s3://lake/events/segment.parquet|v1|e3|103|events|scanned|50|0|",
		"s3://lake/calls/z%20old.jsonl|v0|e4|104|calls|scanned|6|0|",
		"s3://lake/events/torn.parquet|null|e5|105|events|refused|null|1|TRUNCATED: no footer",
		"s3://lake/tmp/x|null|e6|106|null|skipped|null|0|IGNORED: scratch",
		"s3://lake/{email}/x|null|e7|107|null|refused|null|0|UNDECLARED: no dataset claims it",
		"s3://lake/calls/gamma.jsonl|null|e8|108|calls|pruned|null|0|NO_REQUEST: its account has no open request",
		`s3://lake/rec/{phone}.mp3|null|e9|109|aaa-recordings|refused|null|0|DENIED: open "s3://lake/rec/{phone}.mp3": access denied`,
		"s3://lake/zz/lost.jsonl|null|e10|110|calls|refused|null|0|NOT_SCANNED: no scan of it is among the results, and the catalog does not know it",
		"s3://lake/zz/torn.jsonl|null|e11|111|calls|refused|null|1|MALFORMED: 1 record",
	}
	rows := readRows(t, work, "runs/r1/objects.parquet")
	ids := map[string]bool{}
	for i := range rows {
		ids[rows[i].ObjectID] = true
		if i >= len(want) || line(&rows[i]) != want[i] {
			t.Errorf("row %d is %s", i, line(&rows[i]))
		}
	}
	if len(rows) != len(want) || len(ids) != len(want) {
		t.Errorf("%d rows with %d ids, want %d", len(rows), len(ids), len(want))
	}

	refusals := []Refusal{
		{Object: "s3://lake/calls/changed.jsonl", Dataset: "calls", Account: "acme", Code: "CHANGED", Reason: "open it: changed"},
		{Object: "s3://lake/events/torn.parquet", Dataset: "events", Account: "", Code: "TRUNCATED", Reason: "no footer"},
		{Object: "s3://lake/rec/{phone}.mp3", Dataset: "aaa-recordings", Account: "acme", Code: "DENIED", Reason: `open "s3://lake/rec/{phone}.mp3": access denied`},
		{Object: "s3://lake/zz/lost.jsonl", Dataset: "calls", Account: "acme", Code: "NOT_SCANNED", Reason: "no scan of it is among the results, and the catalog does not know it"},
		{Object: "s3://lake/zz/torn.jsonl", Dataset: "calls", Account: "acme", Code: "MALFORMED", Reason: "1 record"},
	}
	type outcomes = map[pipeline.Outcome]int64
	expected := &Totals{
		Objects:    outcomes{"scanned": 3, "refused": 6, "skipped": 2, "pruned": 1},
		Pruned:     map[string]int64{"CATALOG": 1, "IGNORED": 1, "NO_REQUEST": 1},
		Undeclared: map[string]int64{"lake/{email}": 1},
		Datasets: []DatasetTotals{
			{Name: "aaa-recordings", Objects: outcomes{"refused": 1}},
			{Name: "calls", Objects: outcomes{"scanned": 2, "refused": 3, "skipped": 1, "pruned": 1}, Rows: 44, Malformed: 8, Hits: 4, Bytes: 140 + 102 + 104 + 111},
			{Name: "events", Objects: outcomes{"scanned": 1, "refused": 1}, Rows: 50, Malformed: 1, Unattributed: 1, Misattributed: 1, Bytes: 128},
		},
		Rows:     map[[2]string]int64{{"acme", "calls"}: 18, {"beta", "calls"}: 20, {"acme", "events"}: 30, {"beta", "events"}: 18},
		Refusals: refusals, RefusedCount: 5,
		RefusedAccounts: map[string]int64{"acme": 4, "": 1},
		Strayed:         map[pipeline.RequestRef]int64{jane: 1, john: 1},
		ListedBytes:     1266,
		OpenedBytes:     585, OpenedWithoutHit: 585 - 40 - 40 - 50,
		PassBytes:  100 + 101 + 102 + 103 + 104 + 105 + 109 + 110 + 111,
		FirstBytes: 585 - 60 - 40 - 1 - 60, AgainWithoutHit: 60 + 1 + 60,
		RefusedCodes: map[string]int64{"CHANGED": 1, "TRUNCATED": 1, "DENIED": 1, "NOT_SCANNED": 1, "MALFORMED": 1},
		Files:        1,
	}
	for i := range got.Refusals {
		if x := &got.Refusals[i]; !ids[x.ObjectID] || x.ETag == "" {
			t.Errorf("%s has the id %q and the ETag %q", x.Object, x.ObjectID, x.ETag)
		} else {
			x.ObjectID, x.ETag, x.Version = "", "", "" // as the table has them
		}
	}
	if !reflect.DeepEqual(got, expected) {
		t.Errorf("totals are\n%+v\nnot\n%+v", got, expected)
	}
}

// Equal results give equal bytes, over what another try left, too, and however
// many rows a file holds.
func TestObjectsAgain(t *testing.T) {
	ctx := context.Background()
	work := mem.New("work", mem.Options{})
	if _, err := work.Create(ctx, "runs/r1/objects.parquet.other", strings.NewReader("half of a file")); err != nil {
		t.Fatal(err)
	}
	var first []byte
	for range 2 {
		if _, err := Objects(ctx, work, "r1", everyEnd().source(t)); err != nil {
			t.Fatal(err)
		}
		b := read(t, work, "runs/r1/objects.parquet")
		if first != nil && !bytes.Equal(b, first) {
			t.Error("the second try wrote other bytes")
		}
		first = b
	}
	if s := string(read(t, work, "runs/r1/objects.parquet.other")); s != "half of a file" {
		t.Error("a neighbour was replaced")
	}
	whole := readRows(t, work, "runs/r1/objects.parquet")
	work.Overwrite("runs/r1/objects.parquet", []byte("changed"))
	if _, err := Objects(ctx, work, "r1", everyEnd().source(t)); !errors.Is(err, output.ErrDiffers) || !strings.Contains(err.Error(), "objects.parquet") {
		t.Errorf("a changed table: %v, want ErrDiffers", err)
	}
	if string(read(t, work, "runs/r1/objects.parquet")) != "changed" {
		t.Error("a changed table was overwritten")
	}
	for perFile, files := range map[int64][]string{
		5:  {"objects-0000.parquet", "objects-0001.parquet", "objects-0002.parquet"},
		6:  {"objects-0000.parquet", "objects-0001.parquet"},
		12: {"objects.parquet"},
	} {
		work := mem.New("work", mem.Options{})
		got, err := objects(ctx, work, "r1", everyEnd().source(t), perFile)
		if err != nil {
			t.Fatal(err)
		}
		var rows []Row
		for _, f := range files {
			rows = append(rows, readRows(t, work, "runs/r1/"+f)...)
		}
		if got.Files != len(files) || len(keysOf(t, work)) != len(files) || !reflect.DeepEqual(rows, whole) {
			t.Errorf("%d rows a file: %d files %v, %d rows", perFile, got.Files, keysOf(t, work), len(rows))
		}
	}
}

func TestNoObjects(t *testing.T) {
	work := mem.New("work", mem.Options{})
	if _, err := Objects(context.Background(), work, "r1", (&lake{}).source(t)); err != nil {
		t.Fatal(err)
	}
	if rows := readRows(t, work, "runs/r1/objects.parquet"); len(rows) != 0 {
		t.Errorf("%d rows of no object", len(rows))
	}
}

// Without a round nothing was asked for, and nothing is vouched for either.
func TestNoRound(t *testing.T) {
	l := &lake{}
	l.plan(object(0, events, "", "events/a"), nil)
	got, err := Objects(context.Background(), mem.New("work", mem.Options{}), "r1", l.source(t))
	if err != nil || !maps.Equal(got.Objects, map[pipeline.Outcome]int64{pipeline.Pruned: 1}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	l := &lake{rounds: [][]*pipeline.UnitResult{nil}}
	for n := range int64(listedRefusals + 5) {
		l.plan(object(n, calls, "acme", fmt.Sprintf("calls/%06d", n)), nil)
	}
	for n := range int64(10_007) {
		o := object(listedRefusals+5+n, -1, "", fmt.Sprintf("flat-%06d", n))
		o.Outcome, o.Code = pipeline.Refused, Undeclared
		l.plan(o, nil)
	}
	work := mem.New("work", mem.Options{})
	got, err := Objects(context.Background(), work, "r1", l.source(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Refusals) != listedRefusals || got.RefusedCount != listedRefusals+5 || got.RefusedAccounts["acme"] != listedRefusals+5 {
		t.Errorf("%d refusals listed of %d", len(got.Refusals), got.RefusedCount)
	}
	all := map[string]bool{}
	for x, err := range New("r1", time.Time{}, time.Time{}, got).AllRefusals(t.Context(), work) {
		if err != nil || x.Code != NotScanned {
			t.Fatal(x, err)
		}
		all[x.ObjectID] = true
	}
	if len(all) != listedRefusals+5 {
		t.Errorf("%d of %d refusals are known", len(all), listedRefusals+5)
	}
	if len(got.Undeclared) != 10_001 || got.Undeclared["lake/ (others)"] != 7 {
		t.Errorf("%d first segments, %d others", len(got.Undeclared), got.Undeclared["lake/ (others)"])
	}
}

// A result that no object takes would be a refusal or a hit that nobody sees.
func TestOutOfOrder(t *testing.T) {
	broken := errors.New("torn")
	for name, spoil := range map[string]func(*lake, *Source){
		"units not in order": func(l *lake, _ *Source) { slices.Reverse(l.rounds[0]) },
		"unit of no object":  func(l *lake, _ *Source) { l.unit(2, pipeline.UnitResult{Object: object(99, calls, "", "x")}) },
		"plan not in order":  func(l *lake, _ *Source) { l.joined[3], l.joined[4] = l.joined[4], l.joined[3] },
		"object twice":       func(l *lake, _ *Source) { l.joined[4] = l.joined[3] },
		"object left out":    func(l *lake, _ *Source) { l.joined = slices.Delete(l.joined, 3, 4) },
		"plan breaks off": func(l *lake, s *Source) {
			s.Joined = func() iter.Seq2[catalog.Joined, error] { return breaking(l.joined[:5], broken) }
		},
		"units break off": func(l *lake, s *Source) {
			s.Units = func(round int) iter.Seq2[*pipeline.UnitResult, error] { return breaking(l.rounds[round-1], broken) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := everyEnd()
			s := l.source(t)
			spoil(l, &s)
			work := mem.New("work", mem.Options{})
			_, err := Objects(context.Background(), work, "r1", s)
			if err == nil || strings.Contains(name, "break") && !errors.Is(err, broken) {
				t.Errorf("error is %v", err)
			}
			if keys := keysOf(t, work); len(keys) > 0 {
				t.Errorf("%v were written", keys)
			}
		})
	}
}

func breaking[T any](list []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range list {
			if !yield(x, nil) {
				return
			}
		}
		var none T
		yield(none, err)
	}
}

func TestDiscreet(t *testing.T) {
	o := object(0, recordings, "acme", `rec/+1 404 "555" 0123.mp3`)
	o.Captures = map[string]string{"phone": `+1 404 "555" 0123`}
	n := names(t)
	ref := n.Ref(&o)
	for reason, want := range map[string]string{
		"":          "",
		"no footer": "no footer",
		`open "rec/+1 404 \"555\" 0123.mp3": denied`:        `open "s3://lake/rec/{phone}.mp3": denied`,
		`get s3://lake/rec/+1%20404%20%22555%22%200123.mp3`: `get s3://lake/rec/{phone}.mp3`,
		`file +1 404 "555" 0123.mp3 is gone`:                "the reason is withheld, since it names the object, whose name identifies a person",
	} {
		if got := discreet(n.Datasets, &o, &ref, reason); got != want {
			t.Errorf("%q became %q, not %q", reason, got, want)
		}
	}
}
