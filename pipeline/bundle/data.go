package bundle

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"expunge/pipeline/spool"
)

// A batch, and a row group with it, ends at this many bytes of rows or rows.
const (
	batchBytes = 8 << 20
	batchRows  = 64 << 10
)

const samples = 5

// data is pass 2: it writes the rows and the whole objects.
func (w *writer) data() error {
	var t *table
	defer func() {
		if t != nil {
			t.close()
		}
	}()
	end := func() error {
		if t == nil {
			return nil
		}
		err := w.store(t)
		t.close()
		t = nil
		return err
	}
	names := map[string]int{}
	last := ""
	for row, err := range w.rows() {
		if err != nil {
			return err
		}
		s, err := w.set(row.Found.Dataset)
		if err != nil {
			return err
		}
		if name := s.dataset.Name; name != last {
			if name < last {
				return fmt.Errorf("write bundle of request %s: rows are not sorted by dataset", w.Request.Ref())
			}
			if err := end(); err != nil {
				return err
			}
			last = name
		}
		if row.Found.Record < 0 {
			if err := w.object(row, names); err != nil {
				return err
			}
			continue
		}
		if t == nil {
			if t, err = newTable(s); err != nil {
				return err
			}
		}
		if err := t.add(row); err != nil {
			return fmt.Errorf("write record %d of object %s: %w", row.Found.Record, row.Object.ID, err)
		}
		w.result.Rows++
	}
	return end()
}

// store ends a dataset's files and stores them.
func (w *writer) store(t *table) error {
	if err := t.finish(); err != nil {
		return fmt.Errorf("write dataset %s: %w", t.set.dataset.Name, err)
	}
	for i, ext := range []string{".parquet", ".jsonl"} {
		f, err := w.put("data/"+t.set.dataset.Name+ext, &t.files[i])
		if err != nil {
			return err
		}
		f.Rows, f.Schema = t.rows, fieldsOf(t.schema)
		w.index.Files = append(w.index.Files, f)
	}
	return nil
}

func fieldsOf(s *arrow.Schema) []Field {
	var out []Field
	for _, f := range s.Fields() {
		out = append(out, Field{f.Name, f.Type.String()})
	}
	return out
}

// table writes the rows of one dataset, as Parquet and as JSON lines.
type table struct {
	set    *set
	schema *arrow.Schema
	files  [2]spool.Buffer
	out    *bufio.Writer
	pq     *pqarrow.FileWriter
	b      *array.RecordBuilder
	rows   int64
	batch  int
	bytes  int
	line   []byte
}

// keepOpen hides Close: the Parquet writer closes what it is given.
type keepOpen struct{ io.Writer }

// parquetWriter compresses by Snappy: for Zstandard the library makes an encoder
// with windows of 16 MB anew for every page, and a bundle has thousands of them.
// Dictionaries are not bounded but by the row group: where a column falls back to
// plain pages, the library lists its encodings in an order that changes from one
// time to the next, and equal work would give other bytes.
func parquetWriter(schema *arrow.Schema, f io.Writer) (*pqarrow.FileWriter, error) {
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Snappy), parquet.WithVersion(parquet.V2_6),
		parquet.WithMaxRowGroupLength(batchRows), parquet.WithCreatedBy("expunge"), parquet.WithBatchSize(1024),
		parquet.WithDictionaryPageSizeLimit(math.MaxInt64))
	return pqarrow.NewFileWriter(schema, keepOpen{f}, props, pqarrow.DefaultWriterProps())
}

func newTable(s *set) (*table, error) {
	t := &table{set: s}
	list := arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.BinaryTypes.String})
	str := arrow.BinaryTypes.String
	fields := append(s.root.arrowFields(),
		arrow.Field{Name: "_object", Type: str}, arrow.Field{Name: "_version", Type: str, Nullable: true},
		arrow.Field{Name: "_record", Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: "_matched_kinds", Type: list}, arrow.Field{Name: "_matched_fields", Type: list},
		arrow.Field{Name: "_tier", Type: str})
	if s.root.more {
		fields = append(fields, arrow.Field{Name: more, Type: str, Nullable: true})
	}
	t.schema = arrow.NewSchema(fields, nil)
	t.out = bufio.NewWriterSize(&t.files[1], 16<<10)
	var err error
	if t.pq, err = parquetWriter(t.schema, &t.files[0]); err != nil {
		t.close()
		return nil, fmt.Errorf("write dataset %s: %w", s.dataset.Name, err)
	}
	t.b = array.NewRecordBuilder(memory.NewGoAllocator(), t.schema)
	return t, nil
}

func (t *table) close() {
	if t.b != nil {
		t.b.Release()
	}
	for i := range t.files {
		t.files[i].Close()
	}
}

func addList(b array.Builder, items []string) {
	l := b.(*array.ListBuilder)
	l.Append(true)
	for _, s := range items {
		l.ValueBuilder().(*array.StringBuilder).Append(s)
	}
}

func (t *table) add(row Row) error {
	v, src, _, err := t.set.read(row)
	if err != nil {
		return err
	}
	n := len(t.set.root.fields)
	items, rest := make([]value, n), value{kind: isObject}
	for i, name := range v.names {
		if at, ok := t.set.root.index[name]; ok {
			items[at] = v.items[i]
		} else if t.set.root.more {
			rest.names, rest.items = append(rest.names, name), append(rest.items, render(v.items[i], memberType(src, name)))
		}
	}
	for i, c := range t.set.root.fields {
		if err := c.add(t.b.Field(i), items[i], memberType(src, c.name)); err != nil {
			return err
		}
	}
	kinds, fields := why(&row.Found.Hit)
	object, version := shown(row.Object), value{}
	t.b.Field(n).(*array.StringBuilder).Append(object)
	if row.Object.Version == "" {
		t.b.Field(n + 1).AppendNull()
	} else {
		version = value{kind: isString, text: row.Object.Version}
		t.b.Field(n + 1).(*array.StringBuilder).Append(version.text)
	}
	t.b.Field(n + 2).(*array.Int64Builder).Append(row.Found.Record)
	addList(t.b.Field(n+3), kinds)
	addList(t.b.Field(n+4), fields)
	t.b.Field(n + 5).(*array.StringBuilder).Append(string(row.Found.Tier))
	if len(rest.names) > 0 {
		t.b.Field(n + 6).(*array.StringBuilder).Append(string(rest.json(nil)))
	} else if t.set.root.more {
		t.b.Field(n + 6).AppendNull()
	}

	out := value{kind: isObject}
	if src != nil {
		v = render(v, src)
	}
	out.names = append(append(out.names, v.names...), "_object", "_version", "_record", "_matched_kinds", "_matched_fields", "_tier")
	out.items = append(append(out.items, v.items...), value{kind: isString, text: object}, version,
		value{kind: isNumber, text: strconv.FormatInt(row.Found.Record, 10)}, stringList(kinds), stringList(fields),
		value{kind: isString, text: string(row.Found.Tier)})
	t.line = append(out.json(t.line[:0]), '\n')
	if _, err := t.out.Write(t.line); err != nil {
		return fmt.Errorf("write spool: %w", err)
	}
	if len(t.set.sample) < samples {
		t.set.sample = append(t.set.sample, string(v.json(nil)))
	}
	t.rows++
	t.batch++
	t.bytes += len(t.line) + 16*n // nulls and offsets take room, too
	if t.batch >= batchRows || t.bytes >= batchBytes {
		return t.flush()
	}
	return nil
}

func stringList(items []string) value {
	v := value{kind: isList}
	for _, s := range items {
		v.items = append(v.items, value{kind: isString, text: s})
	}
	return v
}

func (t *table) flush() error {
	rec := t.b.NewRecord()
	defer rec.Release()
	t.batch, t.bytes = 0, 0
	if err := t.pq.Write(rec); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

func (t *table) finish() error {
	if t.batch > 0 {
		if err := t.flush(); err != nil {
			return err
		}
	}
	if err := t.pq.Close(); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	if err := t.out.Flush(); err != nil {
		return fmt.Errorf("write spool: %w", err)
	}
	return nil
}
