package erase_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
	"expunge/scanners"
	"expunge/scanners/jsonl"
)

// identities are Ann's, who asks by R-1, and Bob's, by R-2.
func (w *world) identities() (*identity.Set, [][]pipeline.Ask) {
	var needles []identity.Needle
	var asks [][]pipeline.Ask
	for _, x := range []struct {
		kind        pipeline.Kind
		value, asks string
	}{{pipeline.Email, "ann@example.com", "R-1"}, {pipeline.Phone, "+14045550123", "R-1"}, {pipeline.Email, "bob@example.com", "R-2"}} {
		canon, err := identity.Normalise(x.kind, pipeline.Secret(x.value), "US")
		if err != nil {
			w.t.Fatal(err)
		}
		needles = append(needles, identity.Needle{Account: "acme", Canon: canon})
		asks = append(asks, []pipeline.Ask{{Request: pipeline.RequestRef{Account: "acme", ID: x.asks}}})
	}
	return identity.Compile(identity.Key{1}, "US", needles), asks
}

// mention asks for what a record says of the consumer of a request.
func (w *world) mention(o connectors.Object, lines []string, request string, record int64) *manifest.Row {
	r := w.tomb(o, lines, record)[0]
	r.Tombstone, r.Request, r.Action, r.Tier = "m-"+request+r.Tombstone, "acme/"+request, "redact_mention", "mention"
	return r
}

const (
	both  = `{"id":1, "n":4.50,"note":"ann\u0040example.com, \"bob@example.com\"","memo":"ann@example.com"}`
	bob   = `{"id":1, "n":4.50,"note":"[redacted], \"bob@example.com\"","memo":"[redacted]"}`
	none  = `{"id":1, "n":4.50,"note":"[redacted], \"[redacted]\"","memo":"[redacted]"}`
	other = `{"id":2,"note":"ann@example.com, whom nobody asked about here"}`
)

// What becomes of one record, by all that is asked of it.
func TestMentions(t *testing.T) {
	for _, c := range []struct {
		name string
		ask  func(w *world, o connectors.Object, lines []string)
		want string // ""; it goes
	}{
		{"of one", func(w *world, o connectors.Object, lines []string) { w.mention(o, lines, "R-1", 1) }, bob},
		{"of two", func(w *world, o connectors.Object, lines []string) {
			w.mention(o, lines, "R-1", 1)
			w.mention(o, lines, "R-2", 1)
		}, none},
		{"in a record that goes for another", func(w *world, o connectors.Object, lines []string) {
			w.mention(o, lines, "R-1", 1)
			w.tomb(o, lines, 1)[0].Request = "acme/R-2"
		}, ""},
		{"in what a redaction keeps", func(w *world, o connectors.Object, lines []string) {
			w.mention(o, lines, "R-1", 1)
			r := w.tomb(o, lines, 1)[0]
			r.Request, r.Action, r.KeptFields = "acme/R-2", "redact", []string{"note"}
		}, `{"id":null, "n":null,"note":"[redacted], \"bob@example.com\"","memo":null}`},
		{"of one whose record is deidentified, too", func(w *world, o connectors.Object, lines []string) {
			w.mention(o, lines, "R-1", 1)
			r := w.tomb(o, lines, 1)[0]
			r.Request, r.Action, r.KeptFields = "acme/R-2", "deidentify", []string{"note", "n"}
		}, `{"id":null, "n":4.50,"note":"[redacted], \"[redacted]\"","memo":null}`},
		{"in a field that an exception keeps", func(w *world, o connectors.Object, lines []string) {
			r := w.mention(o, lines, "R-1", 1)
			r.Disposition, r.KeptFields = "EXCEPTED", []string{"note"}
		}, strings.Replace(both, `"memo":"ann@example.com"`, `"memo":"[redacted]"`, 1)},
		{"in a record that an exception redacts", func(w *world, o connectors.Object, lines []string) {
			r := w.mention(o, lines, "R-1", 1)
			r.Disposition, r.KeptFields = "EXCEPTED", []string{"note"}
			r = w.tomb(o, lines, 1)[0]
			r.Request, r.Disposition, r.KeptFields = "acme/R-2", "EXCEPTED", []string{"note"}
		}, `{"id":null, "n":null,"note":"ann\u0040example.com, \"bob@example.com\"","memo":null}`},
		{"in a record that an exception keeps", func(w *world, o connectors.Object, lines []string) {
			w.mention(o, lines, "R-1", 1).Disposition = "EXCEPTED"
		}, both},
	} {
		for _, order := range []string{"as they are asked", "reversed", "in an object that changed since"} {
			t.Run(c.name+", "+order, func(t *testing.T) {
				w := newWorld(t, false)
				w.dataset.Search = true
				lines := []string{other, both, rec(3, "cys")}
				c.ask(w, w.put("a.jsonl", lines...), lines)
				was := lines
				switch order {
				case "reversed":
					slices.Reverse(w.rows)
				case "in an object that changed since":
					was = []string{rec(3, "cys"), other, rec(4, "dan"), both}
					w.put("a.jsonl", was...)
				}
				w.mustErase()
				var want []string
				for _, l := range was {
					if l == both {
						l = c.want
					}
					if l != "" {
						want = append(want, l)
					}
				}
				check(t, state(t, w.lake), map[string]string{"a.jsonl": text(want)})
			})
		}
	}
}

// Where nothing is found that could be cut, nothing was done, and that is said.
func TestMentionThatIsNotFound(t *testing.T) {
	w := newWorld(t, false) // which does not search fields that nobody declared
	lines := []string{both}
	w.mention(w.put("a.jsonl", lines...), lines, "R-1", 0)
	out := w.mustErase()
	if e := out["a.jsonl replace "]; e.State != journal.Refused || !strings.Contains(e.Reason, "record 0: nothing that names the consumer") {
		t.Errorf("%+v", e)
	}
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text(lines)})
}

// What is deidentified has nothing of the identity in what stays, and none in its keys.
func TestDeidentify(t *testing.T) {
	w := newWorld(t, false)
	w.dataset.Search = true
	lines := []string{`{"email":"ann@example.com","n":3,"place":"at ann@example.com's","by":{"ann@example.com":[1,"x"]}}`, rec(1, "bob")}
	r := w.tomb(w.put("a.jsonl", lines...), lines, 0)[0]
	r.Action, r.KeptFields = "deidentify", []string{"n", "place"}
	out := w.mustErase()
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text([]string{`{"email":null,"n":3,"place":"at [redacted]'s","by":{"[redacted]":[null,null]}}`, lines[1]})})
	if e := out["a.jsonl replace "]; e.Redacted != 1 || e.Erased != 0 {
		t.Errorf("%+v", e)
	}

	w = keyed(t, false)
	w.dataset.Search = true
	w.dataset.Erase = pipeline.Erasure{Action: pipeline.Deidentify, Keep: []string{"n"}}
	lines = []string{`{"n":1,"id":7}`, `{"n":"ann@example.com"}`}
	w.named(w.put(annsKey, lines...))
	out = w.mustErase()
	check(t, state(t, w.lake), map[string]string{out[annsKey+" move "].To: text([]string{`{"n":1,"id":null}`, `{"n":"[redacted]"}`})})
}

// A key is no value: what cannot be proved to stay beside it is not changed.
func TestMentionInAKey(t *testing.T) {
	w := newWorld(t, false)
	w.dataset.Search = true
	lines := []string{`{"form":{"write to ann@example.com":"yes"}}`}
	w.mention(w.put("a.jsonl", lines...), lines, "R-1", 0)
	states(t, w.mustErase(), map[string]journal.State{"a.jsonl replace ": journal.Refused})
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text(lines)})
}

// A number says nothing once something was cut out of it.
func TestMentionInANumber(t *testing.T) {
	w := newWorld(t, false)
	w.dataset.Fields = []pipeline.Field{{Path: "note", Text: true}}
	lines := []string{`{"note":4045550123,"n":1}`}
	w.mention(w.put("a.jsonl", lines...), lines, "R-1", 0)
	out := w.mustErase()
	check(t, state(t, w.lake), map[string]string{"a.jsonl": text([]string{`{"note":null,"n":1}`})})
	if e := out["a.jsonl replace "]; e.Redacted != 1 || e.Erased != 0 || e.Records != 1 {
		t.Errorf("%+v", e)
	}
}

// Where the object goes as a whole, mentions in it go, too; where it goes since its key
// names the consumer, they are cut out of what is somebody else's and moves.
func TestMentionsInWhatGoes(t *testing.T) {
	w := keyed(t, false)
	lines := []string{`{"note":"bob@example.com"}`}
	o := w.put("a.jsonl", lines...)
	w.mention(o, lines, "R-2", 0)
	w.whole(o)
	states(t, w.mustErase(), map[string]journal.State{"a.jsonl delete ": journal.Done})
	check(t, state(t, w.lake), map[string]string{})

	w = keyed(t, false)
	w.dataset.Search = true
	lines = []string{`{"note":"bob@example.com"}`, `{"email":"cys@example.com","note":"bob@example.com"}`, rec(3, "dan")}
	o = w.put(annsKey, lines...)
	w.named(o)
	for _, n := range []int64{0, 1} {
		w.mention(o, lines, "R-2", n).ObjectSealed = w.rows[0].ObjectSealed
	}
	out := w.mustErase()
	check(t, state(t, w.lake), map[string]string{out[annsKey+" move "].To: text([]string{`{"email":"cys@example.com","note":"[redacted]"}`, rec(3, "dan")})})
}

// forger is a Rewriter that cuts other spans out of notes than it was asked to.
type forger struct {
	jsonl.Scanner
	lie func([]scanners.Span) []scanners.Span
}

func (f forger) Rewrite(ctx context.Context, in scanners.Input, edits []scanners.Edit, spool io.Writer, check func(*scanners.Record) error) (scanners.Rewritten, error) {
	edits = slices.Clone(edits)
	for i := range edits {
		asked := edits[i].Spans
		edits[i].Spans = func(path string, text []byte) ([]scanners.Span, bool) {
			spans, ok := asked(path, text)
			if path == "note" {
				spans = f.lie(spans)
			}
			return spans, ok
		}
	}
	return f.Scanner.Rewrite(ctx, in, edits, spool, check)
}

// A rewriter that leaves some of a mention, or takes more, is caught before anything in
// the lake changes.
func TestRewriterThatLiesAboutMentions(t *testing.T) {
	lines := []string{both, rec(1, "bob")}
	for name, lie := range map[string]func([]scanners.Span) []scanners.Span{
		"leaves it": func([]scanners.Span) []scanners.Span { return nil },
		"takes too much": func(s []scanners.Span) []scanners.Span {
			return []scanners.Span{{Start: s[0].Start, End: s[0].End + 3}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false)
			w.dataset.Search = true
			w.scanner = forger{lie: lie}
			w.mention(w.put("a.jsonl", lines...), lines, "R-1", 0)
			states(t, w.mustErase(), map[string]journal.State{"a.jsonl replace ": journal.Refused})
			check(t, state(t, w.lake), map[string]string{"a.jsonl": text(lines)})
		})
	}
}
