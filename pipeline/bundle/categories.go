package bundle

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"expunge/pipeline"
)

// notSold is said where nothing was sold or shared (R23).
const notSold = "not sold or shared in the preceding 12 months"

// notStated is said of a dataset whose config leaves open what the answer asks: only the
// account knows, and what it does not say is not said for it.
func notStated(dataset string) string {
	return "not stated for " + dataset
}

// category is a statutory category that has data (R20, R25).
type category struct {
	Name     string
	Records  int64
	from, to int64 // Unix milliseconds; NoTime
	sets     map[string]*pipeline.Dataset

	From, To                                    string
	Datasets, Sources, Purposes, Sold, Business []string
}

// count takes a row into its categories: its dataset's and those of the fields
// that it was found by.
func (w *writer) count(s *set, row Row) {
	var names []string
	add := func(c string) {
		if c != "" && !slices.Contains(names, c) {
			names = append(names, c)
		}
	}
	add(s.dataset.Category)
	for _, e := range row.Found.Why {
		for _, f := range s.dataset.Fields {
			if f.Path == e.Path {
				add(f.Category)
			}
		}
		if e.Path == "(key)" {
			for _, f := range s.dataset.Object {
				if f.Kind == e.Kind {
					add(f.Category)
				}
			}
		}
	}
	if len(names) == 0 {
		s.bare++
	}
	for _, n := range names {
		c := w.cats[n]
		if c == nil {
			c = &category{Name: n, from: pipeline.NoTime, to: pipeline.NoTime, sets: map[string]*pipeline.Dataset{}}
			w.cats[n] = c
		}
		c.Records++
		c.sets[s.dataset.Name] = s.dataset
		if at := row.Found.Time; at != pipeline.NoTime {
			if c.from == pipeline.NoTime || at < c.from {
				c.from = at
			}
			c.to = max(c.to, at)
		}
	}
}

// listed are the categories in order, ready to be shown.
func (w *writer) listed() []*category {
	var out []*category
	for _, c := range w.cats {
		c.Datasets, c.Sources, c.Purposes, c.Sold, c.Business = nil, nil, nil, nil, nil
		for name, d := range c.sets {
			c.Datasets = append(c.Datasets, name)
			c.Sources = append(c.Sources, stated(d.Sources, name)...)
			c.Purposes = append(c.Purposes, stated(d.Purposes, name)...)
			if d.Disclosed == nil {
				c.Sold, c.Business = append(c.Sold, notStated(name)), append(c.Business, notStated(name))
			}
			for _, x := range d.Disclosed {
				if x.How == "business_purpose" {
					c.Business = append(c.Business, x.To)
				} else {
					c.Sold = append(c.Sold, x.To+" ("+x.How+")")
				}
			}
		}
		for _, l := range []*[]string{&c.Datasets, &c.Sources, &c.Purposes, &c.Sold, &c.Business} {
			slices.Sort(*l)
			*l = slices.Compact(*l)
		}
		if len(c.Sold) == 0 {
			c.Sold = []string{notSold}
		}
		if c.from != pipeline.NoTime {
			c.From = time.UnixMilli(c.from).UTC().Format(time.DateOnly)
			c.To = time.UnixMilli(c.to).UTC().Format(time.DateOnly)
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *category) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return out
}

func stated(list []string, dataset string) []string {
	if len(list) == 0 {
		return []string{notStated(dataset)}
	}
	return list
}

// categories writes categories.parquet.
func (w *writer) categories() error {
	list := arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.BinaryTypes.String})
	day := arrow.FixedWidthTypes.Date32
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "category", Type: arrow.BinaryTypes.String}, {Name: "records", Type: arrow.PrimitiveTypes.Int64},
		{Name: "from", Type: day, Nullable: true}, {Name: "to", Type: day, Nullable: true},
		{Name: "datasets", Type: list}, {Name: "sources", Type: list}, {Name: "purposes", Type: list},
		{Name: "sold_or_shared", Type: list}, {Name: "disclosed_business_purpose", Type: list}}, nil)
	b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	defer b.Release()
	cats := w.listed()
	for _, c := range cats {
		b.Field(0).(*array.StringBuilder).Append(c.Name)
		b.Field(1).(*array.Int64Builder).Append(c.Records)
		for i, at := range []int64{c.from, c.to} {
			if at == pipeline.NoTime {
				b.Field(2 + i).AppendNull()
			} else {
				b.Field(2 + i).(*array.Date32Builder).Append(arrow.Date32FromTime(time.UnixMilli(at).UTC()))
			}
		}
		for i, l := range [][]string{c.Datasets, c.Sources, c.Purposes, c.Sold, c.Business} {
			addList(b.Field(4+i), l)
		}
	}
	var out bytes.Buffer
	pq, err := parquetWriter(schema, &out)
	if err != nil {
		return fmt.Errorf("write categories: %w", err)
	}
	rec := b.NewRecord()
	defer rec.Release()
	if len(cats) > 0 {
		if err := pq.Write(rec); err != nil {
			return fmt.Errorf("write categories: %w", err)
		}
	}
	if err := pq.Close(); err != nil {
		return fmt.Errorf("write categories: %w", err)
	}
	f, err := w.bytes("categories.parquet", out.Bytes())
	if err != nil {
		return err
	}
	f.Rows, f.Schema = int64(len(cats)), fieldsOf(schema)
	w.index.Files = append(w.index.Files, f)
	return nil
}
