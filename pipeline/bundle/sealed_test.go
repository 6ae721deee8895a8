package bundle

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"

	"expunge/connectors/mem"
	"expunge/pipeline"
	"expunge/pipeline/output"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

func testKeys(t *testing.T, seeds ...byte) *seal.Keys {
	t.Helper()
	var all [][]byte
	for _, b := range seeds {
		all = append(all, bytes.Repeat([]byte{b}, seal.KeySize))
	}
	keys, err := seal.Open(all[0], all[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

var requestRef = pipeline.RequestRef{Account: "acme", ID: "r1"}

// arrowTable reads a table with arrow's own reader and decryption. key: "" for one in clear.
func arrowTable(t *testing.T, b []byte, key string) (arrow.Table, *file.Reader) {
	t.Helper()
	props := parquet.NewReaderProperties(memory.NewGoAllocator())
	if key != "" {
		raw, err := base64.StdEncoding.DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		props.FileDecryptProps = parquet.NewFileDecryptionProperties(parquet.WithFooterKey(string(raw)))
	}
	r, err := file.NewParquetReader(bytes.NewReader(b), file.WithReadProps(props))
	if err != nil {
		t.Fatal(err)
	}
	f, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.NewGoAllocator())
	if err != nil {
		t.Fatal(err)
	}
	table, err := f.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return table, r
}

// sameTable compares types, values and statistics.
func sameTable(t *testing.T, name string, want, got arrow.Table, a, b *file.Reader) {
	t.Helper()
	if !want.Schema().Equal(got.Schema()) || want.NumRows() != got.NumRows() {
		t.Fatalf("%s: %s, %d rows; want %s, %d", name, got.Schema(), got.NumRows(), want.Schema(), want.NumRows())
	}
	for i := range int(want.NumCols()) {
		if !array.ChunkedEqual(want.Column(i).Data(), got.Column(i).Data()) {
			t.Errorf("%s: column %s has other values", name, want.Schema().Field(i).Name)
		}
	}
	if a.NumRowGroups() != b.NumRowGroups() {
		t.Fatalf("%s: %d row groups, want %d", name, b.NumRowGroups(), a.NumRowGroups())
	}
	for g := range a.NumRowGroups() {
		ga, gb := a.MetaData().RowGroup(g), b.MetaData().RowGroup(g)
		for c := range ga.NumColumns() {
			ca, err := ga.ColumnChunk(c)
			if err != nil {
				t.Fatal(err)
			}
			cb, err := gb.ColumnChunk(c)
			if err != nil {
				t.Fatal(err)
			}
			set, err := ca.StatsSet()
			if err != nil {
				t.Fatal(err)
			}
			if have, err := cb.StatsSet(); err != nil || have != set {
				t.Errorf("%s: row group %d column %d: statistics %v %v, want %v", name, g, c, have, err, set)
				continue
			}
			if !set {
				continue
			}
			sa, _ := ca.Statistics()
			sb, _ := cb.Statistics()
			ea, eb := statistics(sa), statistics(sb)
			if d := cmp.Diff(ea, eb); d != "" {
				t.Errorf("%s: row group %d column %d: statistics: %s", name, g, c, d)
			}
		}
	}
}

func statistics(s interface {
	HasMinMax() bool
	HasNullCount() bool
	NullCount() int64
	EncodeMin() []byte
	EncodeMax() []byte
}) []any {
	out := []any{s.HasMinMax(), s.HasNullCount(), s.NullCount()}
	if s.HasMinMax() {
		out = append(out, s.EncodeMin(), s.EncodeMax())
	}
	return out
}

// cases are bundles of every kind of column, and of none.
func cases(t *testing.T) map[string][]Row {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}, Nullable: true},
		{Name: "n", Type: arrow.PrimitiveTypes.Int32}, {Name: "d", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}},
		{Name: "m", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64)},
		{Name: "b", Type: arrow.BinaryTypes.Binary}, {Name: "h", Type: arrow.FixedWidthTypes.Float16},
	}, nil)
	var buf bytes.Buffer
	if err := ipc.NewWriter(&buf, ipc.WithSchema(schema)).Close(); err != nil {
		t.Fatal(err)
	}
	typed := docs(`{"at":1764028800000,"n":7,"d":"-12.50","m":[{"key":"k","value":3}],"b":"AAE=","h":"1.5"}`, `{"at":null,"n":8,"d":"0.01","m":[],"b":"","h":"-2"}`)
	for _, r := range typed {
		r.Found.Schema = buf.Bytes()
	}
	large := whole()
	for i := range 3 { // more than one row group, several pages a column
		large = append(large, row("calls", int64(i+1), `{"phone":"+14045550123","text":"`+strings.Repeat(string(rune('a'+i)), 3<<20)+`"}`, pipeline.NoTime))
	}
	for i := range 4000 {
		large = append(large, row("calls", int64(i+10), `{"phone":"+14045550123","n":`+strings.Repeat("1", 1+i%9)+`}`, pipeline.NoTime))
	}
	return map[string][]Row{
		"nothing": nil, "typed": typed, "whole objects": whole(), "large": large,
		"nested": docs(`{"a":[{"x":1,"l":["p",null]},null,{"x":2}],"e":[],"s":"","t":true,"f":0.5}`, `{}`, `{"a":[],"e":[]}`, `{"a":[{"l":[]}],"s":null}`),
	}
}

// TestSealedOpensToTheSame: what is sealed opens to what the same work gives in
// clear, for us and, with the key, for others; and shows nothing without it.
func TestSealedOpensToTheSame(t *testing.T) {
	for name, rows := range cases(t) {
		t.Run(name, func(t *testing.T) {
			in := input(rows)
			in.Run = "run-1"
			in.Open = func(context.Context, Row) (io.ReadCloser, int64, error) {
				return io.NopCloser(strings.NewReader("RIFF" + strings.Repeat("+14045550123 ", 100000))), 0, nil // frames are cut within
			}
			inClear := write(t, mem.New("clear", mem.Options{}), in)
			in.Sealed = true
			work := mem.New("work", mem.Options{})
			sealed := write(t, work, in)
			same := func(what string, got map[string][]byte) {
				for path := range sealed {
					if !bytes.Equal(sealed[path], got[path]) {
						t.Errorf("%s: other bytes of %s", what, path)
					}
				}
			}
			same("a second try", write(t, work, in))
			same("another store", write(t, mem.New("other", mem.Options{}), in))
			for path, b := range sealed {
				if bytes.Contains(b, []byte("4045550123")) || path != "bundle.json" && bytes.Contains(b, []byte("phone")) {
					t.Errorf("%s is not sealed", path)
				}
			}
			if err := Check(t.Context(), work, in.Keys, requestRef, "run-1"); err != nil {
				t.Fatal(err)
			}
			b, err := Open(t.Context(), work, in.Keys, Dir(requestRef)+indexName)
			if err != nil {
				t.Fatal(err)
			}
			key, id, err := b.Key()
			if err != nil || id != b.Index.KeyID || b.Index.Encryption != SealedParquet {
				t.Fatal(id, b.Index.Encryption, err)
			}
			if len(b.Index.Files) != len(inClear)-1 {
				t.Errorf("%d files, %d in clear", len(b.Index.Files), len(inClear)-1)
			}
			for _, f := range b.Index.Files {
				var out bytes.Buffer
				if err := b.Copy(t.Context(), f, &out); err != nil {
					t.Fatal(err)
				}
				path := b.Path(f)
				want, ok := inClear[path]
				if !ok {
					t.Fatalf("%s is not in the bundle in clear", path)
				}
				if !isTable(path) {
					if !bytes.Equal(want, out.Bytes()) {
						t.Errorf("%s is not what it is in clear", path)
					}
					continue
				}
				types, wantRows := source(t, want)
				gotTypes, gotRows := source(t, out.Bytes())
				if d := cmp.Diff(types, gotTypes); d != "" {
					t.Error(d)
				}
				if d := cmp.Diff(wantRows, gotRows); d != "" {
					t.Error(d)
				}
				a, ra := arrowTable(t, want, "")
				o, ro := arrowTable(t, out.Bytes(), "")
				e, re := arrowTable(t, sealed[f.Path], key)
				sameTable(t, path+", opened", a, o, ra, ro)
				sameTable(t, path+", sealed", a, e, ra, re)
			}
		})
	}
}

// TestEveryByteIsSealed flips each byte of a sealed table and of a box, and cuts
// them anywhere: none opens, and none panics.
func TestEveryByteIsSealed(t *testing.T) {
	in := input(docs(`{"phone":"+14045550123","n":1}`, `{"phone":"+14045550199","n":2}`))
	in.Run = "run-1"
	in.Sealed = true
	work := mem.New("work", mem.Options{})
	files := write(t, work, in)
	b, err := Open(t.Context(), work, in.Keys, Dir(requestRef)+indexName)
	if err != nil {
		t.Fatal(err)
	}
	opens := func(path string, raw []byte) error {
		body := new(spool.Buffer)
		defer body.Close()
		_, _ = body.Write(raw)
		return b.seal.open(b.seal.clear(path), io.Discard, body)
	}
	for _, path := range []string{"data/calls.parquet", "data/calls.jsonl.sealed"} {
		raw := files[path]
		if err := opens(path, raw); err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			bad := bytes.Clone(raw)
			bad[i] ^= 1 << (i % 8)
			if opens(path, bad) == nil {
				t.Errorf("%s opens with byte %d of %d changed", path, i, len(raw))
			}
			if opens(path, raw[:i]) == nil {
				t.Errorf("%s opens cut at %d of %d", path, i, len(raw))
			}
		}
		if opens(path, append(bytes.Clone(raw), raw...)) == nil {
			t.Errorf("%s opens twice in a row", path)
		}
	}
	table := files["data/calls.parquet"]
	end := len(table) - footerTail
	longer := append(bytes.Clone(table[:end]), 0)
	longer = binary.LittleEndian.AppendUint32(longer, binary.LittleEndian.Uint32(table[end:])+1)
	if opens("data/calls.parquet", append(longer, sealedMagic...)) == nil {
		t.Error("a table opens with something after its footer")
	}
}

// TestSealedBelongsToItsPlace: a file opens nowhere but where it was written, and
// under no other key.
func TestSealedBelongsToItsPlace(t *testing.T) {
	keys := testKeys(t, 7)
	make := func(account, request, run, id string, keys *seal.Keys) *sealer {
		s, err := newSealer(keys, account, request, run, id)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	in := input(docs(`{"phone":"+14045550123"}`))
	plain := write(t, mem.New("clear", mem.Options{}), in)
	home := make("acme", "r1", "run-1", "", keys)
	for path, other := range map[string]string{"data/calls.parquet": "data/texts.parquet", "data/calls.jsonl": "data/texts.jsonl"} {
		sealed, err := home.seal(path, bytes.NewReader(plain[path]))
		if err != nil {
			t.Fatal(err)
		}
		defer sealed.Close()
		for _, c := range []struct {
			name, path string
			s          *sealer
			ok         bool
		}{
			{"at home", path, home, true},
			{"after a rotation", path, make("acme", "r1", "run-1", home.key.ID(), testKeys(t, 9, 7)), true},
			{"under another name", other, home, false},
			{"in another run's bundle", path, make("acme", "r1", "run-2", "", keys), false},
			{"in another request's", path, make("acme", "r2", "run-1", "", keys), false},
			{"in another account's", path, make("beta", "r1", "run-1", "", keys), false},
			{"under another work key", path, make("acme", "r1", "run-1", "", testKeys(t, 8)), false},
		} {
			if _, err := sealed.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err := c.s.open(c.path, &out, sealed)
			if (err == nil) != c.ok || !c.ok && !errors.Is(err, seal.ErrForged) {
				t.Errorf("%s %s: %v", path, c.name, err)
			}
			if !c.ok && bytes.Contains(out.Bytes(), []byte("4045550123")) {
				t.Errorf("%s %s: gives the value away", path, c.name)
			}
		}
	}
	if _, err := newSealer(testKeys(t, 8), "acme", "r1", "run-1", home.key.ID()); !errors.Is(err, seal.ErrForged) {
		t.Errorf("a key that is not at hand: %v", err)
	}
}

// TestCheckOfASealedBundle: nothing is erased after a bundle that is not whole.
func TestCheckOfASealedBundle(t *testing.T) {
	in := input(whole())
	in.Run = "run-1"
	in.Sealed = true
	base := write(t, mem.New("work", mem.Options{}), in)
	const dir = "bundles/acme/r1/"
	other := input(whole()[:1])
	other.Run, other.Sealed = "run-0", true
	older := write(t, mem.New("old", mem.Options{}), other)
	check := func(name string, keys *seal.Keys, ok bool, change func(files map[string][]byte)) {
		t.Helper()
		files := map[string][]byte{}
		for path, b := range base {
			files[path] = bytes.Clone(b)
		}
		change(files)
		work := mem.New("work", mem.Options{})
		for path, b := range files {
			work.Overwrite(dir+path, b)
		}
		if err := Check(t.Context(), work, keys, requestRef, "run-1"); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("as written", in.Keys, true, func(map[string][]byte) {})
	check("rotated", testKeys(t, 9, 7), true, func(map[string][]byte) {})
	check("wrong key", testKeys(t, 8), false, func(map[string][]byte) {})
	for path := range base {
		check(path+" gone", in.Keys, false, func(f map[string][]byte) { delete(f, path) })
		check(path+" changed", in.Keys, false, func(f map[string][]byte) { f[path][len(f[path])/2] ^= 1 })
		check(path+" of an older run", in.Keys, older[path] == nil, func(f map[string][]byte) {
			if older[path] != nil {
				f[path] = older[path]
			}
		})
	}
	check("a digest forged with its file", in.Keys, false, func(f map[string][]byte) {
		b := append(f["index.html.sealed"], ' ')
		was, _, _ := output.Digest(bytes.NewReader(f["index.html.sealed"]))
		is, _, _ := output.Digest(bytes.NewReader(b))
		f["index.html.sealed"] = b
		f["bundle.json"] = bytes.ReplaceAll(f["bundle.json"], []byte(was), []byte(is))
	})
}

// TestReleasedIndex names the files as they are handed over.
func TestReleasedIndex(t *testing.T) {
	in := input(whole())
	in.Run, in.Sealed = "run-1", true
	work := mem.New("work", mem.Options{})
	write(t, work, in)
	b, err := Open(t.Context(), work, in.Keys, Dir(requestRef)+indexName)
	if err != nil {
		t.Fatal(err)
	}
	sums := make([]string, len(b.Index.Files))
	for i := range sums {
		sums[i] = strings.Repeat("ab", 32)
	}
	raw, err := b.Released(sums)
	if err != nil {
		t.Fatal(err)
	}
	var x Index
	if err := json.Unmarshal(raw, &x); err != nil {
		t.Fatal(err)
	}
	if x.Encryption != Unsealed || x.KeyID != "" || bytes.Contains(raw, []byte(boxed)) || x.Files[0].SHA256 != sums[0] {
		t.Errorf("%s", raw)
	}
	if b.Index.Encryption != SealedParquet || !strings.HasSuffix(b.Index.Files[len(b.Index.Files)-1].Path, boxed) {
		t.Error("the index that was read has changed")
	}
}
