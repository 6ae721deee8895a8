package verify_test

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2/ocf"
	pq "github.com/parquet-go/parquet-go"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/manifest"
	"expunge/pipeline/verify"
)

const clean = `{"id":1,"phone":"+12125550199","email":"bob@example.com"}` + "\n"

func gz(t *testing.T, h gzip.Header, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Header = h
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func avroOf(t *testing.T, values ...string) string {
	t.Helper()
	var b bytes.Buffer
	enc, err := ocf.NewEncoder(`{"type":"record","name":"call","fields":[{"name":"v","type":"string"}]}`, &b, ocf.WithCodec(ocf.Deflate))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if err := enc.Encode(map[string]any{"v": v}); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type contact struct {
	V string `parquet:"v,dict,zstd"`
	N int64  `parquet:"n"`
}

func parquetOf(t *testing.T, rows ...contact) string {
	t.Helper()
	var b bytes.Buffer
	w := pq.NewGenericWriter[contact](&b, pq.MaxRowsPerRowGroup(2))
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestResidueInRecords hides one identifier in one record, in every way that it may
// be written; the record is found, and nothing else.
func TestResidueInRecords(t *testing.T) {
	hash := func(v string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(v))) }
	for _, c := range []struct{ name, content, want string }{
		{"nothing", clean + clean, ""},
		{"a later record", strings.Repeat(clean, 2000) + `{"phone":"(404) 555-0123"}` + "\n", "RECORD 2000 phone"},
		{"the last record, without a line end", clean + `{"email":"Ann@Example.com"}`, "RECORD 1 email"},
		{"two records", `{"phone":"4045550123"}` + "\n" + clean + `{"x":"404.555.0123"}` + "\n", "RECORD 0 phone, RECORD 2 x"},
		{"percent-encoded", clean + `{"url":"https://example.com/?p=%2B14045550123&x=1"}` + "\n", "RECORD 1 url"},
		{"percent-encoded twice", clean + `{"url":"/?e=ann%2540example.com"}` + "\n", "RECORD 1 url"},
		{"escaped in JSON", clean + `{"p":"\u002b\u0031\u0034045\u0035\u00350123"}` + "\n", "RECORD 1 p"},
		{"escaped in JSON in a string", clean + `{"p":"{\"a\":\"ann\\u0040example.com\"}"}` + "\n", "RECORD 1 p.a"},
		{"a digest of the number", clean + `{"h":"` + hash("+14045550123") + `"}` + "\n", "RECORD 1 h"},
		{"a digest of the address", clean + `{"h":"` + strings.ToUpper(hash(email)) + `"}` + "\n", "RECORD 1 h"},
		{"a UUID without hyphens", clean + `{"visitor":"` + strings.ReplaceAll(visit, "-", "") + `"}` + "\n", "RECORD 1 visitor"},
		{"a key of an object", clean + `{"by":{"ann@example.com":1}}` + "\n", "RECORD 1 by{}"},
		{"the second value of a repeated key", `{"x":"a","x":"4045550123"}` + "\n", "RECORD 0 x"},
		{"JSON as one document", `[{"a":1},{"a":"ann@example.com"}]`, "RECORD 1 a"},
		{"CSV", "id,who\n1,bob@example.com\n2,\"ann@example.com\"\n", "RECORD 1 who"},
		{"CSV, JSON in a cell", "id,who\n1,\"{\"\"m\"\":\"\"ann@example.com\"\"}\"\n", "RECORD 0 who.m"},
		{"packed by gzip", gz(t, gzip.Header{}, clean+`{"a":"4045550123"}`+"\n"), "RECORD 1 a"},
		{"a second member of gzip", gz(t, gzip.Header{}, clean) + gz(t, gzip.Header{}, `{"a":"4045550123"}`+"\n"), "RECORD 1 a"},
		{"Avro", avroOf(t, "bob", "ann@example.com"), "RECORD 1 v"},
		{"Parquet, text in a later row group", parquetOf(t, contact{"a", 1}, contact{"b", 2}, contact{"c", 3}, contact{"d", 4}, contact{"ann@example.com", 5}), "RECORD 4 v"},
		{"Parquet, a number as a number", parquetOf(t, contact{"a", 1}, contact{"b", 14045550123}), "RECORD 1 n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, false)
			w.put("o", c.content)
			got := w.look("o")
			if s := records(got); s != c.want {
				t.Errorf("%q is left, want %q", s, c.want)
			}
			if len(got.Expected) != 0 {
				t.Errorf("%v stays on purpose", got.Expected)
			}
			for _, r := range got.Residue {
				if strings.Contains(fmt.Sprintf("%+v", r), "404") || r.Object != "mem://lake/o" || r.ObjectID != "id of o" || r.Request != "acme/R-1" {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// What only looks like a trace is none.
func TestNoResidue(t *testing.T) {
	for _, c := range []struct{ name, content string }{
		{"digits in a longer number", `{"order":"9914045550123","x":"140455501234","y":40455501230}` + "\n"},
		{"digits in a hex id", `{"sid":"RE14045550123aaaaaaaaaaaaaaaaaaaaaaaaaaa"}` + "\n"},
		{"an address that goes on", `{"a":"ann@example.com.test","b":"joann@example.com","c":"ann@example.community"}` + "\n"},
		{"a digest of somebody else", fmt.Sprintf(`{"h":"%x"}`, sha256.Sum256([]byte("bob@example.com"))) + "\n"},
		{"a longer word with the id in it", `{"visitor":"` + visit + `f"}` + "\n"},
	} {
		w := newWorld(t, false)
		w.put("o", c.content)
		if got := w.look("o"); residue(got) != "" || len(got.Expected) != 0 {
			t.Errorf("%s: %q is left, %v stays", c.name, residue(got), got.Expected)
		}
	}
}

// Another account's record is not ours, whoever is in it.
func TestOtherAccounts(t *testing.T) {
	w := newWorld(t, false)
	w.v.Datasets[0].Account, w.account = "account", ""
	w.put("o", `{"account":"beta","phone":"4045550123"}`+"\n"+`{"account":"acme","phone":"2125550199"}`+"\n")
	if got := w.look("o"); residue(got) != "" || len(got.Expected) != 0 {
		t.Errorf("%q is left, %v stays", residue(got), got.Expected)
	}
	w.put("o", `{"account":"beta","phone":"4045550123"}`+"\n"+`{"account":"acme","phone":"4045550123"}`+"\n")
	if got := records(w.look("o")); got != "RECORD 1 phone" {
		t.Errorf("%q is left", got)
	}
}

// An older version, a deleted one under a marker, and what lies at a key that this
// one is the beginning of.
func TestVersionsOfExactlyOneKey(t *testing.T) {
	hers := `{"phone":"4045550123"}` + "\n"
	w := newWorld(t, true)
	old := w.put("a", hers)
	w.put("a", clean)
	w.put("a.bak", hers)
	w.put("a/b", hers)
	got := w.look("a")
	if records(got) != "RECORD 0 phone" || got.Residue[0].Version != old.Version || got.Versions != 2 || got.Records != 2 {
		t.Errorf("%+v", got)
	}
	w.v.Current = func(string) bool { return true }
	if got := w.look("a"); residue(got) != "" || got.Versions != 1 {
		t.Errorf("current versions only: %+v", got)
	}
	w.v.Current = nil

	// The key is gone, but for a marker, or for its siblings.
	gone := w.put("b", clean)
	gone.Version = ""
	if err := w.lake.Delete(t.Context(), gone.Ref); err != nil {
		t.Fatal(err)
	}
	w.put("b.bak", hers)
	if got := w.look("b"); residue(got) != "" {
		t.Errorf("%q is left", residue(got))
	}

	plain := newWorld(t, false)
	plain.v.Stores["lake"] = struct{ connectors.Store }{plain.lake} // a store that keeps no versions
	plain.put("a.bak", hers)
	if got := plain.look("a"); residue(got) != "" || got.Versions != 0 {
		t.Errorf("%+v", got)
	}
	plain.put("a", hers)
	if got := plain.look("a"); records(got) != "RECORD 0 phone" || got.Versions != 1 {
		t.Errorf("%+v", got)
	}
}

// sound is what a recording holds: nothing that another scanner reads.
const sound = "\xff\xfb\x90\x00sound"

// A key that identifies: the object's name is a trace, and so are delete markers that
// keep it, however many.
func TestIdentifyingKeys(t *testing.T) {
	const key = "rec/+14045550123.mp3"
	w := newWorld(t, true)
	w.identifying, w.captures = true, map[string]string{"number": "+14045550123"}
	w.v.Datasets[0].Format = "media"
	o := w.put(key, sound)
	w.row(key).Action = string(pipeline.EraseObject)
	if got := residue(w.look(key)); got != "KEY -1 (key)" {
		t.Errorf("%q is left", got)
	}
	marker := func(o connectors.Object) {
		t.Helper()
		now := o.Ref
		now.Version = "" // what is current: a marker stays
		for _, ref := range []connectors.Ref{now, o.Ref} {
			if err := w.lake.Delete(t.Context(), ref); err != nil {
				t.Fatal(err)
			}
		}
	}
	marker(o)
	if got := residue(w.look(key)); got != "KEY -1" {
		t.Errorf("one marker: %q is left", got)
	}
	marker(w.put(key, sound))
	if got := residue(w.look(key)); got != "KEY -1, KEY -1" {
		t.Errorf("two markers: %q is left", got)
	}
	w.identifying = false
	if got := residue(w.look(key)); got != "" {
		t.Errorf("markers of a key that says nothing: %q is left", got)
	}
}

// TestWholeObjectErasedBefore: one without a date is known by its content alone.
func TestWholeObjectErasedBefore(t *testing.T) {
	type left struct {
		residue string
		stays   int64
	}
	for erased, want := range map[string]left{sound: {"KEY -1 (key)", 0}, "another " + sound: {"", 1}} {
		w := newWorld(t, false)
		w.captures, w.v.Datasets[0].Format = map[string]string{"number": "+14045550123"}, "media"
		w.put("rec/+14045550123.mp3", sound)
		sum := sha256.Sum256([]byte(erased))
		w.before(string(sum[:]))
		got := w.look("rec/+14045550123.mp3")
		if is := (left{residue(got), got.Expected[who]}); is != want {
			t.Errorf("%q was erased: %+v, want %+v", erased, is, want)
		}
	}
}

// expected says how a trace may be there on purpose.
type expected struct {
	name   string
	record string
	set    func(w *world)
	want   string // residue; "": none
	stays  int64
}

const dated = `{"phone":"4045550123","at":"2026-10-01T00:00:00Z"}`

// TestWhatStaysOnPurpose has a record of the consumer's in the lake and one reason for
// it, which is counted; with the reason but a little different, it is residue.
func TestWhatStaysOnPurpose(t *testing.T) {
	apply := func(f func(r *manifest.Row) bool) func(w *world) {
		return func(w *world) { w.v.Applied = f }
	}
	excepted := func(w *world, r *manifest.Row, kept ...string) {
		code := "D1_TRANSACTION"
		r.Disposition, r.Exception, r.KeptFields = string(pipeline.Excepted), &code, kept
	}
	for _, c := range []expected{
		{"nothing keeps it", dated, func(*world) {}, "RECORD 0 phone", 0},
		{"an exception or a hold", dated, func(w *world) { excepted(w, w.record("o", dated)) }, "", 1},
		{"an exception of another record", dated, func(w *world) { excepted(w, w.record("o", clean)) }, "RECORD 0 phone", 0},
		{"an exception for another request", dated, func(w *world) {
			r := w.record("o", dated)
			excepted(w, r)
			r.Request = "acme/R-2"
			w.record("o", clean)
		}, "RECORD 0 phone", 0},
		{"an exception of the whole object", dated, func(w *world) { excepted(w, w.row("o")) }, "", 1},
		{"an exception of the whole object's fields: none of them go", dated, func(w *world) { excepted(w, w.row("o"), "email") }, "", 1},
		{"a field that an exception keeps", dated, func(w *world) { excepted(w, w.record("o", clean), "phone") }, "", 1},
		{"a field that a redaction keeps", dated, func(w *world) {
			r := w.record("o", clean)
			r.Action, r.KeptFields = string(pipeline.Redact), []string{"phone"}
		}, "", 1},
		{"another field than a redaction keeps", dated, func(w *world) {
			r := w.record("o", clean)
			r.Action, r.KeptFields = string(pipeline.Redact), []string{"email"}
		}, "RECORD 0 phone", 0},
		{"a tombstone that is not approved", dated, func(w *world) {
			w.record("o", dated)
			apply(func(*manifest.Row) bool { return false })(w)
		}, "", 1},
		{"for review: free text", `{"note":"call 404-555-0123 now"}`, func(*world) {}, "", 1},
		{"for review: policy of the account", dated, func(w *world) { w.v.Policy = pipeline.Policy{"acme": {pipeline.Normalised}} }, "", 1},
		{"for review: policy of another account", dated, func(w *world) { w.v.Policy = pipeline.Policy{"beta": {pipeline.Normalised}} }, "RECORD 0 phone", 0},
		{"a person decided that it stays", dated, func(w *world) {
			w.v.Stays = func(ref pipeline.RequestRef, dataset string, raw []byte) bool {
				return ref == who && dataset == "calls" && string(raw) == dated
			}
		}, "", 1},
		{"a person decided that it goes", `{"note":"call 404-555-0123 now"}`, func(w *world) {
			w.record("o", `{"note":"call 404-555-0123 now"}`).Tier = string(pipeline.Mention)
		}, "RECORD 0 note", 0},
		{"dated after the cut-off", `{"phone":"4045550123","at":"2026-11-01T00:00:01Z"}`, func(*world) {}, "", 1},
		{"dated at the cut-off", `{"phone":"4045550123","at":"2026-11-01T00:00:00Z"}`, func(*world) {}, "RECORD 0 phone", 0},
		{"undated", `{"phone":"4045550123"}`, func(*world) {}, "RECORD 0 phone", 0},
		{"reached only through what is new", dated, func(w *world) { w.each(func(a *pipeline.Ask) { a.Late = true }) }, "", 1},
		{"reached only through a shared id", dated, func(w *world) { w.each(func(a *pipeline.Ask) { a.Shared = true }) }, "", 1},
		{"before the number was the consumer's", dated, func(w *world) { w.each(func(a *pipeline.Ask) { a.From = day("2026-10-02") }) }, "", 1},
		{"on the first day of the number", dated, func(w *world) { w.each(func(a *pipeline.Ask) { a.From = day("2026-10-01") }) }, "RECORD 0 phone", 0},
		{"after the number was the consumer's", dated, func(w *world) { w.each(func(a *pipeline.Ask) { a.To = day("2026-09-30") }) }, "", 1},
		{"on the last day of the number", dated, func(w *world) { w.each(func(a *pipeline.Ask) { a.To = day("2026-10-01") }) }, "RECORD 0 phone", 0},
		{"an agent's address", `{"agent":"ann@example.com"}`, func(*world) {}, "", 0},
		{"an agent's address, asked for the agent", `{"agent":"ann@example.com"}`, func(w *world) {
			for i := range w.needles {
				w.needles[i].Agent = true
			}
		}, "RECORD 0 agent", 0},
		{"a consumer's address, asked for an agent", `{"email":"ann@example.com"}`, func(w *world) {
			for i := range w.needles {
				w.needles[i].Agent = true
			}
		}, "", 0},
		{"erased before, without a date, of other bytes", `{"phone":"4045550123"}`, func(w *world) { w.before(clean) }, "", 1},
		{"erased before, without a date, the same bytes", `{"phone":"4045550123"}`, func(w *world) { w.before(`{"phone":"4045550123"}`) }, "RECORD 0 phone", 0},
		{"erased before, dated", dated, func(w *world) { w.before(clean) }, "RECORD 0 phone", 0},
		{"erased before, dated, of other bytes, and still to be handed over", dated, func(w *world) {
			w.before(clean)
			w.v.Past[who].Copies = true
		}, "", 1},
		{"erased before, dated, the same bytes, and the rest still to be handed over", dated, func(w *world) {
			w.before(dated)
			w.v.Past[who].Copies = true
		}, "RECORD 0 phone", 0},
		{"erased before, a field that was kept", dated, func(w *world) {
			w.before(clean)
			w.v.Keeps = func(account string, _ *pipeline.Dataset, field string) bool {
				return account == "acme" && field == "phone"
			}
		}, "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, false)
			c.set(w)
			w.put("o", c.record+"\n")
			got := w.look("o")
			if records(got) != c.want || got.Expected[who] != c.stays || c.want == "" && residue(got) != "" {
				t.Errorf("%q is left and %d stay, want %q and %d", residue(got), got.Expected[who], c.want, c.stays)
			}
		})
	}
}

// TestOpenIsNotOnPurpose: what could not be erased is no residue, and nobody wants it there.
func TestOpenIsNotOnPurpose(t *testing.T) {
	for _, done := range []bool{false, true} {
		w := newWorld(t, false)
		w.v.Done = func(id, _ string) (verify.Counts, bool) { return verify.Counts{}, done || id != "id of o" }
		w.put("o", dated+"\n")
		got := w.look("o")
		left, open := "", int64(1)
		if done {
			left, open = "RECORD 0 phone", 0
		}
		if records(got) != left || got.Open[who] != open || got.Expected[who] != 0 {
			t.Errorf("done %v: %q is left, %d open, %d on purpose", done, residue(got), got.Open[who], got.Expected[who])
		}
	}
}

// Of a file that is not of one record, a person has to say whom it is about.
func TestNotesOfFiles(t *testing.T) {
	w := newWorld(t, false)
	w.put("o", gz(t, gzip.Header{Name: "4045550123.jsonl", Comment: "of ann@example.com"}, clean))
	if got := w.look("o"); residue(got) != "" || got.Expected[who] != 2 {
		t.Errorf("notes of gzip: %q is left, %v stays", residue(got), got.Expected)
	}
	var b bytes.Buffer
	f := pq.NewGenericWriter[contact](&b, pq.KeyValueMetadata("export", "for ann@example.com"))
	if _, err := f.Write([]contact{{"a", 1}}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	w.put("o", b.String())
	if got := w.look("o"); residue(got) != "" || got.Expected[who] != 1 {
		t.Errorf("footer of Parquet: %q is left, %v stays", residue(got), got.Expected)
	}
}

// Nobody can say that nothing is left in what cannot be read. It is no residue where a
// certificate names it anyway.
func TestUnreadable(t *testing.T) {
	whole := gz(t, gzip.Header{}, strings.Repeat(clean, 100))
	for name, c := range map[string]struct {
		content string
		set     func(w *world)
	}{
		"cut short":         {whole[:len(whole)-20], func(*world) {}},
		"of no format":      {clean, func(w *world) { w.v.Datasets[0].Format = "orc" }},
		"in an archive":     {clean, func(w *world) { w.lake.Archive("o", true) }},
		"a Parquet too few": {parquetOf(t, contact{"a", 1})[:40], func(w *world) { w.v.Datasets[0].Format = "parquet" }},
	} {
		w := newWorld(t, false)
		w.put("o", c.content)
		c.set(w)
		if got := residue(w.look("o")); got != "UNREADABLE -1" {
			t.Errorf("%s: %q", name, got)
		}
		done := w.v.Done
		w.v.Done = func(string, string) (verify.Counts, bool) { return verify.Counts{}, false }
		if got := w.look("o"); residue(got) != "" || len(got.Staying) != 1 {
			t.Errorf("%s, and its erasure is open: %q is left, %v stays", name, residue(got), got.Staying)
		}
		w.v.Done = done
		w.v.NotRead = func(_, version, etag string) bool { return version == "" && etag != "" }
		if got := w.look("o"); residue(got) != "" || len(got.Staying) != 1 {
			t.Errorf("%s, and the run has said so: %q is left, %v stays", name, residue(got), got.Staying)
		}
	}
}

// What there was, less what went, is what there is: A1 = A0 − B0, for the object that
// the erasure wrote and no other.
func TestCounts(t *testing.T) {
	w := newWorld(t, true)
	w.put("o", clean+clean)
	o := w.put("o", clean+clean+clean)
	said := verify.Counts{ETag: o.ETag, Records: 3}
	w.v.Done = func(string, string) (verify.Counts, bool) { return said, true }
	if got := w.look("o"); residue(got) != "" || got.Records != 5 {
		t.Errorf("%+v", got)
	}
	for _, n := range []int64{2, 4, 0} {
		said.Records = n
		if got := residue(w.look("o")); got != "COUNT -1" {
			t.Errorf("%d said, 3 there: %q", n, got)
		}
	}
	w.put("o", clean) // somebody else's write, which nobody has said anything of
	if got := residue(w.look("o")); got != "" {
		t.Errorf("of another ETag: %q", got)
	}
}

// What was to be cut out of a record is residue where the record, by its place, still has
// some of it; in other records, of other writers' objects, or where an exception keeps the
// field, it is not.
func TestMentionsThatWereToBeCut(t *testing.T) {
	const half = `{"note":"call [redacted] or ann@example.com"}` + "\n"
	const whole = `{"note":"call 404-555-0123 or ann@example.com"}` + "\n"
	for _, c := range []struct {
		name, content string
		set           func(w *world, rows []*manifest.Row)
		want          string
	}{
		{"all of it is gone", clean + `{"note":"call [redacted] or [redacted]"}` + "\n", nil, ""},
		{"some is left", clean + half, nil, "RECORD 1 note"},
		{"in another record", half + clean, nil, ""},
		{"nothing was cut, and it is another one", clean + whole, nil, ""},
		{"behind a record that goes", half + clean, func(_ *world, rows []*manifest.Row) { rows[0].Action = string(pipeline.EraseRecord) }, "RECORD 0 note"},
		{"in a field that an exception keeps", clean + half, func(_ *world, rows []*manifest.Row) {
			rows[1].Disposition, rows[1].KeptFields = string(pipeline.Excepted), []string{"note"}
		}, ""},
		{"of a record that is to be deidentified", clean + `{"note":"call 404-555-0123"}` + "\n", func(_ *world, rows []*manifest.Row) { rows[1].Action = string(pipeline.Deidentify) }, "RECORD 1 note"},
		{"not approved", clean + half, func(w *world, rows []*manifest.Row) { w.v.Applied = func(*manifest.Row) bool { return false } }, ""},
		{"of another request", clean + half, func(_ *world, rows []*manifest.Row) { rows[1].Request = "acme/R-2" }, ""},
		{"another writer's object", clean + half, func(w *world, _ []*manifest.Row) {
			w.v.Done = func(string, string) (verify.Counts, bool) { return verify.Counts{ETag: "another"}, true }
		}, ""},
	} {
		w := newWorld(t, false)
		o := w.put("o", c.content)
		w.v.Done = func(string, string) (verify.Counts, bool) { return verify.Counts{ETag: o.ETag, Records: 2}, true }
		rows := []*manifest.Row{w.record("o", "a record before"), w.record("o", "it, before")}
		for i, r := range rows {
			n := int64(i)
			r.Record, r.Action, r.Tier = &n, string(pipeline.RedactMention), string(pipeline.Mention)
		}
		rows[0].Request = "acme/R-2"
		if c.set != nil {
			c.set(w, rows)
		}
		if got := records(w.look("o")); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// An upload that nobody has completed holds what nobody can read: of before the search
// it is residue, later ones are listed; those of other keys are none of this one's.
func TestUnfinishedUploads(t *testing.T) {
	w := newWorld(t, true)
	w.put("o", clean)
	w.lake.Begin("o.bak", cutoff.Add(-time.Hour), []byte("x"))
	if got := w.look("o"); residue(got) != "" || len(got.Staying) != 0 {
		t.Errorf("of a sibling: %+v", got)
	}
	w.lake.Begin("o", cutoff.Add(time.Second), []byte("x"))
	if got := w.look("o"); residue(got) != "" || len(got.Staying) != 1 {
		t.Errorf("a later one: %+v", got)
	}
	w.lake.Begin("o", cutoff.Add(-time.Second), []byte("x"))
	if got := w.look("o"); residue(got) != "UPLOAD -1" || len(got.Staying) != 1 {
		t.Errorf("one of before: %+v", got)
	}
	w.v.Uploads = func(id string) bool { return id == "id of o" } // the erasure lists them as open
	if got := w.look("o"); residue(got) != "" || len(got.Staying) != 0 {
		t.Errorf("listed as open: %+v", got)
	}
}

// raw is a world in which scanners do not look into fields that are not declared, so
// that only the bytes tell.
func raw(t *testing.T) *world {
	w := newWorld(t, false)
	w.v.Datasets[0].Search, w.v.Datasets[0].Format = false, "jsonl"
	return w
}

// TestResidueInBytes writes an identifier where no scanner looks. However the bytes
// are cut on their way, it is found if it is one, and not if it is part of another.
func TestResidueInBytes(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"14045550123", true}, {"4045550123", true}, {"+14045550123", true}, {"404-555-0123", true}, {"404.555.0123", true}, {"404 555 0123", true},
		{"(404) 555-0123", true}, {"(404)555-0123", true}, {"%28404%29%20555-0123", true}, {"404%20555%200123", true},
		{"%2B14045550123", true}, {"%252B14045550123", true}, {`\u002b14045550123`, true}, {`\n4045550123`, true},
		{"ann@example.com", true}, {"ANN@Example.COM", true}, {"ann%40example.com", true}, {`ann\u0040example.com`, true}, {"<ann@example.com>", true}, {"ann@example.com.", true},
		{visit, true}, {strings.ReplaceAll(strings.ToUpper(visit), "-", ""), true},
		{fmt.Sprintf("%x", sha256.Sum256([]byte("+14045550123"))), true}, {fmt.Sprintf("%X", sha1.Sum([]byte("14045550123"))), true}, {fmt.Sprintf("%x", md5.Sum([]byte(email))), true},
		{"914045550123", false}, {"99999999999999999999999999999914045550123", false}, {"140455501234", false}, {"x4045550123", false}, {"_4045550123", false}, {"4045550123_", false},
		{"jo.ann@example.com", false}, {"joann@example.com", false}, {"ann@example.com.test", false}, {"ann@example.com-x", false},
		{visit + "0", false}, {"0" + strings.ReplaceAll(visit, "-", ""), false},
	} {
		want := ""
		if c.want {
			want = "RAW -1"
		}
		for _, before := range []int{0, 1, 60, 100, 101, 102, 103, 150} {
			for _, behind := range []int{0, 1, 2, 3, 90, 200} {
				for _, chunk := range []int{0, 1, 2, 3, 7, 16, 61, 64, 100} {
					w := raw(t)
					w.chunk = chunk
					w.put("o", `{"x":"`+strings.Repeat("-", before/2)+strings.Repeat(" ", before-before/2)+c.text+strings.Repeat(" ", behind)+`"}`+"\n")
					if got := residue(w.look("o")); got != want {
						t.Fatalf("%q behind %d and before %d bytes, in chunks of %d: %q, want %q", c.text, before, behind, chunk, got, want)
					}
				}
			}
		}
	}
}

// The bytes are searched for requests of which something went from the key, once it
// is done; what a record explains is not found again in them.
func TestBytesThatAreExplained(t *testing.T) {
	hidden := `{"x":"4045550123"}` + "\n"
	for _, c := range []struct {
		name string
		set  func(w *world)
		want string
	}{
		{"applied", func(*world) {}, "RAW -1"},
		{"nothing of it was applied", func(w *world) { w.v.Applied = func(*manifest.Row) bool { return false } }, ""},
		{"an exception only", func(w *world) { w.record("o", clean).Disposition = string(pipeline.Excepted) }, ""},
		{"of another request", func(w *world) { w.record("o", clean).Request = "acme/R-2" }, ""},
		{"the erasure is open", func(w *world) {
			w.v.Done = func(string, string) (verify.Counts, bool) { return verify.Counts{}, false }
		}, ""},
		{"a record explains it", func(w *world) {
			w.v.Datasets[0].Fields = append(w.v.Datasets[0].Fields, pipeline.Field{Path: "x", Kind: pipeline.Phone, Party: pipeline.Agent})
		}, ""},
		{"a record tells of it", func(w *world) { w.put("o", `{"phone":"4045550123"}`+"\n"+hidden) }, "RECORD 0 phone"},
		{"a record explains another", func(w *world) { w.put("o", `{"agent":"ann@example.com"}`+"\n"+hidden) }, "RAW -1"},
	} {
		w := raw(t)
		w.put("o", hidden)
		c.set(w)
		if got := residue(w.look("o")); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What stands beside an object's bytes is kept by a rewriting: it is named for the request
// whose consumer it names, and is no residue.
func TestBesideTheBytes(t *testing.T) {
	for text, want := range map[string]int{"+14045550123": 1, "call (404) 555-0123.jsonl": 1, "+14045550199": 0, "94045550123": 0} {
		w := newWorld(t, false)
		w.put("a", clean)
		w.lake.SetMeta("a", map[string]string{"caller": text, "from": text})
		got := w.look("a")
		if residue(got) != "" || len(got.Beside) != want {
			t.Errorf("%q: %+v", text, got)
		}
		if want > 0 && (got.Beside[0].Request != who.String() || got.Beside[0].Field != "user metadata" || strings.Contains(got.Beside[0].Reason, "555")) {
			t.Errorf("%q: %+v", text, got.Beside[0])
		}
		w.v.Waits = func(pipeline.RequestRef) bool { return true } // its erasure has yet to be done
		if got := w.look("a"); len(got.Beside) != 0 {
			t.Errorf("%q waits: %+v", text, got)
		}
	}
}
