package manifest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/spool"
)

// Target is one key of a store and what tombstones ask for of its versions.
type Target struct {
	Store, Key  string
	ID          string // keyed id of the object
	Shown       string // what outputs call it
	Identifying bool   // the key holds an identifier: its delete markers go, too
	Dataset     int
	Account     string    // that the key names; "" where only a field tells
	Versions    []Version // the one that was current first
}

// Version is a version of a key as it was when the manifest was sealed.
type Version struct {
	connectors.Ref
	Size       int64
	Noncurrent bool
	Rows       []*Row // ascending by record, whole-object rows first
}

// Resolver turns what a row says of its object into the target that it belongs to.
type Resolver func(r *Row) (Target, error)

// Targets yields the targets of rows, by object id, each with all rows of its
// versions. Rows are sorted externally: memory does not grow with their number.
func Targets(rows iter.Seq2[*Row, error], resolve Resolver) iter.Seq2[*Target, error] {
	return func(yield func(*Target, error) bool) {
		sorter := spool.NewSorter()
		defer sorter.Close()
		for r, err := range rows {
			if err == nil {
				err = addRow(sorter, r)
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
		var t *Target
		for p, err := range sorter.Sorted() {
			r := new(Row)
			if err == nil {
				err = json.Unmarshal(p.Value, r)
			}
			if err != nil {
				yield(nil, fmt.Errorf("read tombstones: %w", err))
				return
			}
			if t != nil && t.ID != r.ObjectID {
				if !yield(t, nil) {
					return
				}
				t = nil
			}
			if t == nil {
				next, err := resolve(r)
				if err != nil {
					yield(nil, err)
					return
				}
				t = &next
				t.ID, t.Shown, t.Identifying = r.ObjectID, r.Object, r.ObjectSealed != nil
			}
			t.add(r)
		}
		if t != nil {
			yield(t, nil)
		}
	}
}

func addRow(s *spool.Sorter, r *Row) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("sort tombstones: %w", err)
	}
	key := append([]byte(r.ObjectID), 0)
	if r.Action == string(pipeline.DeleteVersion) {
		key = append(key, 1)
	} else {
		key = append(key, 0)
	}
	if r.Version != nil {
		key = append(key, *r.Version...)
	}
	key = append(append(append(key, 0), r.ETag...), 0)
	record := uint64(0)
	if r.Record != nil {
		record = uint64(*r.Record) + 1
	}
	return s.Add(append(binary.BigEndian.AppendUint64(key, record), r.Request...), b)
}

func (t *Target) add(r *Row) {
	ref := connectors.Ref{Store: t.Store, Key: t.Key, ETag: r.ETag}
	if r.Version != nil {
		ref.Version = *r.Version
	}
	if n := len(t.Versions); n == 0 || t.Versions[n-1].Ref != ref {
		t.Versions = append(t.Versions, Version{Ref: ref, Size: r.Size, Noncurrent: r.Action == string(pipeline.DeleteVersion)})
	}
	v := &t.Versions[len(t.Versions)-1]
	v.Rows = append(v.Rows, r)
}
