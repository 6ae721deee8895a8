package avro

import (
	"encoding/binary"

	"github.com/hamba/avro/v2"

	"expunge/scanners"
	"expunge/scanners/walk"
)

// editor writes a record again, with the values emptied that an edit does not
// keep. The record was decoded before: it is sound.
type editor struct {
	dec    *decoder
	edit   *scanners.Edit
	redact walk.Redactor
	out    []byte
}

const noUUID = "00000000-0000-0000-0000-000000000000"

// record appends the record at dec.at to dst.
func (w *editor) record(dst []byte, e *scanners.Edit) ([]byte, error) {
	w.edit, w.out = e, dst
	w.redact.Record()
	w.dec.begin(false)
	n, keeps, whole := w.dec.root, walk.KeepsOf(e), false
	if n.path != "" { // the record is a scalar, or a list
		keeps, whole = keeps.Under(n.path)
	}
	err := w.value(n, n.path, keeps, whole)
	dst, w.out = w.out, nil
	return dst, err
}

func (w *editor) long(v int64) { w.out = binary.AppendVarint(w.out, v) }

func (w *editor) bytes(b []byte) {
	w.long(int64(len(b)))
	w.out = append(w.out, b...)
}

// value copies one value, whole if it is kept.
func (w *editor) value(n *node, path string, keeps walk.Keeps, kept bool) error {
	d := w.dec
	switch n.schema.Type() {
	case avro.Record, avro.Error:
		for i, f := range n.schema.(*avro.RecordSchema).Fields() {
			below, whole := keeps, kept
			if !kept {
				below, whole = keeps.Under(f.Name())
			}
			if err := w.value(d.nodes.field(n, i), join(path, f.Name()), below, whole); err != nil {
				return err
			}
		}
		return nil
	case avro.Union:
		return w.union(n, path, keeps, kept)
	case avro.Array:
		item := d.nodes.item(n)
		if !kept {
			keeps, kept = keeps.Items()
		}
		return w.runs(func() error { return w.value(item, path+"[]", keeps, kept) })
	case avro.Map:
		_, value := d.nodes.entry(n)
		return w.runs(func() error { return w.entry(value, path, keeps, kept) })
	}
	start := d.at
	if kept {
		if err := w.skip(n); err != nil {
			return err
		}
		w.out = append(w.out, d.data[start:d.at]...)
		return nil
	}
	_, err := w.empty(n, path, keeps)
	return err
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// skip steps over a scalar.
func (w *editor) skip(n *node) error {
	w.dec.text = w.dec.text[:0]
	return w.dec.plain(n)
}

// union copies a value with its branch, or takes the branch of null.
func (w *editor) union(n *node, path string, keeps walk.Keeps, kept bool) error {
	d := w.dec
	i, err := d.long()
	if err != nil {
		return err
	}
	if i < 0 || i >= int64(len(n.below)) {
		return fail(scanners.Corrupt, "a union has no such branch")
	}
	b := d.nodes.branch(n, int(i))
	if path == "" && b.path != "" { // the record is a scalar
		path = b.path
		keeps, kept = keeps.Under(path)
	}
	mark := len(w.out)
	w.long(i)
	switch b.schema.Type() {
	case avro.Record, avro.Error, avro.Array, avro.Map, avro.Union:
		return w.value(b, path, keeps, kept)
	}
	if kept {
		return w.value(b, path, keeps, kept)
	}
	all, err := w.empty(b, path, keeps)
	if err != nil || !all {
		return err
	}
	for k, t := range n.schema.(*avro.UnionSchema).Types() {
		if t.Type() == avro.Null {
			w.out = w.out[:mark]
			w.long(int64(k))
		}
	}
	return nil
}

// runs copies the items of an array or a map, in the runs that they come in.
func (w *editor) runs(one func() error) error {
	for {
		n, err := w.dec.long()
		if err != nil {
			return err
		}
		count := n
		if n < 0 {
			count = -n
			if _, err := w.dec.long(); err != nil {
				return err
			}
		}
		mark := len(w.out)
		if n >= 0 {
			w.long(n)
		}
		for range count {
			if err := one(); err != nil {
				return err
			}
		}
		if n < 0 { // its bytes are told before it
			run := append([]byte(nil), w.out[mark:]...)
			w.out = w.out[:mark]
			w.long(n)
			w.bytes(run)
		}
		if n == 0 {
			return nil
		}
	}
}

// entry copies one entry of a map with this path.
func (w *editor) entry(value *node, path string, keeps walk.Keeps, kept bool) error {
	key, err := w.dec.bytes()
	if err != nil {
		return err
	}
	place := string(w.dec.nodes.fields.AppendKey(nil, path+"{}", key))
	if kept {
		w.bytes(key)
		return w.value(value, place, keeps, kept)
	}
	below, whole := keeps.Under(string(key))
	if whole {
		w.bytes(key)
	} else {
		w.bytes(walk.Apply(nil, key, w.redact.Key(key, path, w.edit)))
	}
	return w.value(value, place, below, whole)
}

// empty writes the empty value of a scalar, or what an edit leaves of a text. all:
// nothing of it is left.
func (w *editor) empty(n *node, path string, keeps walk.Keeps) (all bool, err error) {
	d := w.dec
	text := n.logical == ""
	if spared, err := w.spared(n, path); spared || err != nil {
		return false, err
	}
	switch t := n.schema.Type(); t {
	case avro.String, avro.Bytes:
		b, err := d.bytes()
		if err != nil {
			return false, err
		}
		if text {
			cuts := w.redact.Text(b, path, keeps, w.edit, "")
			if len(cuts) != 1 || cuts[0].With != "" {
				w.bytes(walk.Apply(nil, b, cuts))
				return false, nil
			}
		}
		switch n.logical {
		case avro.UUID:
			w.bytes([]byte(noUUID))
		case avro.Decimal:
			w.bytes([]byte{0})
		default:
			w.bytes(nil)
		}
		return true, nil
	case avro.Fixed:
		size := n.schema.(*avro.FixedSchema).Size()
		if _, err := d.take(int64(size)); err != nil {
			return false, err
		}
		w.out = append(w.out, make([]byte, size)...)
		return true, nil
	default:
		if err := w.skip(n); err != nil {
			return false, err
		}
		switch t {
		case avro.Null:
		case avro.Float:
			w.out = append(w.out, make([]byte, 4)...)
		case avro.Double:
			w.out = append(w.out, make([]byte, 8)...)
		case avro.Enum:
			s := n.schema.(*avro.EnumSchema)
			at := 0
			for i, symbol := range s.Symbols() {
				if s.HasDefault() && symbol == s.Default() {
					at = i
				}
			}
			w.long(int64(at))
		default: // booleans, int and long: one byte of zero
			w.out = append(w.out, 0)
		}
		return true, nil
	}
}

// spared copies a scalar that is no text, if the edit spares it.
func (w *editor) spared(n *node, path string) (bool, error) {
	t, d := n.schema.Type(), w.dec
	if w.edit.Spans == nil || (t == avro.String || t == avro.Bytes) && n.logical == "" {
		return false, nil
	}
	start := d.at
	d.begin(true)
	err := d.plain(n)
	d.full = false
	if err != nil {
		return false, err
	}
	for _, l := range d.leaves {
		if !w.edit.Spares(path, l.value) {
			d.at = start
			return false, nil
		}
	}
	w.out = append(w.out, d.data[start:d.at]...)
	return true, nil
}
