package avro

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/hamba/avro/v2"

	"expunge/scanners"
	"expunge/scanners/walk"
)

// leaf is a scalar of a record, or the key of a map's entry.
type leaf struct {
	path     string
	value    []byte // nil: null
	searched bool
	key      bool
}

// decoder takes records apart. Sweeping, it gathers texts to be probed and asks
// about declared fields; in full, it makes doc and leaves.
type decoder struct {
	nodes  nodes
	root   *node
	schema *arrow.Schema // of the docs
	finder scanners.Finder
	walker walk.Walker
	fields *walk.Fields // of JSON in strings

	data   []byte
	at     int
	depth  int
	values int

	full      bool
	candidate bool
	text      []byte // sweeping: each followed by a NUL
	doc       []byte
	leaves    []leaf
	scratch   []byte

	named string // in full, inside a map's value: its path with the keys of the maps
	under int    // how much of the paths of the nodes below it that stands for
}

func newDecoder(schema avro.Schema, f scanners.Finder) *decoder {
	paths := f.Fields()
	d := &decoder{finder: f, nodes: nodes{fields: walk.NewPaths(paths)}, fields: walk.NewFields(paths), scratch: make([]byte, 0, 128)}
	d.schema = arrowSchema(schema)
	d.root = d.nodes.make(nil, schema, "", true, d.schema == nil)
	return d
}

// begin prepares for a record.
func (d *decoder) begin(full bool) {
	d.full, d.candidate, d.values, d.depth = full, false, 0, 0
	d.doc, d.leaves, d.named, d.under = d.doc[:0], d.leaves[:0], "", 0
}

// place is the path of n in the record at hand.
func (d *decoder) place(n *node) string {
	if d.under == 0 {
		return n.path
	}
	return d.named + n.path[d.under:]
}

func (d *decoder) short() error {
	return fail(scanners.Corrupt, "it goes on beyond its block")
}

func (d *decoder) take(n int64) ([]byte, error) {
	if n < 0 || n > int64(len(d.data)-d.at) {
		return nil, d.short()
	}
	b := d.data[d.at : d.at+int(n) : d.at+int(n)]
	d.at += int(n)
	return b, nil
}

func (d *decoder) long() (int64, error) {
	x, n := binary.Uvarint(d.data[d.at:])
	if n == 0 {
		return 0, d.short()
	}
	if n < 0 {
		return 0, fail(scanners.Corrupt, "a number is longer than 64 bits")
	}
	d.at += n
	return int64(x>>1) ^ -int64(x&1), nil
}

func (d *decoder) bytes() ([]byte, error) {
	n, err := d.long()
	if err != nil {
		return nil, err
	}
	return d.take(n)
}

// write appends to the doc where there is to be one.
func (d *decoder) write(s string) {
	if d.full {
		d.doc = append(d.doc, s...)
	}
}

// record decodes the record at d.at. One that is no Avro record is wrapped.
func (d *decoder) record() error {
	n := d.root
	for n.schema.Type() == avro.Union { // unions do not nest; a loop costs nothing
		i, err := d.long()
		if err != nil {
			return err
		}
		if i < 0 || i >= int64(len(n.below)) {
			return fail(scanners.Corrupt, "a union has no such branch")
		}
		n = d.nodes.branch(n, int(i))
	}
	if t := n.schema.Type(); t == avro.Record || t == avro.Error {
		return d.value(n)
	}
	d.write(`{"value":`)
	err := d.value(n)
	d.write("}")
	return err
}

func (d *decoder) value(n *node) error {
	if d.values++; d.values > walk.MaxLeaves {
		return fail(scanners.TooLarge, "it has more than 4 Mi values")
	}
	if d.depth++; d.depth > MaxDepth || d.nodes.n > maxNodes {
		return fail(scanners.TooLarge, "it is nested more than 128 deep, or in too many ways")
	}
	defer func() { d.depth-- }()
	switch n.schema.Type() {
	case avro.Record, avro.Error:
		d.write("{")
		for i := range n.below {
			if i > 0 {
				d.write(",")
			}
			f := d.nodes.field(n, i)
			if d.full {
				d.doc = append(d.doc, f.label...)
			}
			if err := d.value(f); err != nil {
				return err
			}
		}
		d.write("}")
		return nil
	case avro.Union:
		i, err := d.long()
		if err != nil {
			return err
		}
		if i < 0 || i >= int64(len(n.below)) {
			return fail(scanners.Corrupt, "a union has no such branch")
		}
		return d.value(d.nodes.branch(n, int(i)))
	case avro.Array:
		item := d.nodes.item(n)
		d.write("[")
		err := d.runs(func() error { return d.value(item) })
		d.write("]")
		return err
	case avro.Map:
		key, value := d.nodes.entry(n)
		marks := [...]string{"[", `{"key":`, `,"value":`, "}", "]"}
		if n.loose {
			marks = [...]string{"{", "", ":", "", "}"}
		}
		d.write(marks[0])
		err := d.runs(func() error {
			k, err := d.bytes()
			if err != nil {
				return err
			}
			d.write(marks[1])
			if d.full {
				d.doc = walk.AppendQuoted(d.doc, k)
			}
			d.write(marks[2])
			d.scalar(key, k, true)
			if d.full {
				defer func(named string, under int) { d.named, d.under = named, under }(d.named, d.under)
				d.named = string(d.nodes.fields.AppendKey(nil, d.place(value), k))
				d.under = len(value.path)
			}
			err = d.value(value)
			d.write(marks[3])
			return err
		})
		d.write(marks[4])
		return err
	}
	return d.plain(n)
}

// runs reads the items of an array or a map, which come in runs.
func (d *decoder) runs(one func() error) error {
	first := true
	for {
		n, err := d.long()
		if err != nil {
			return err
		}
		if n < 0 {
			n = -n
			if _, err := d.long(); err != nil { // the bytes of the run, to skip it
				return err
			}
		}
		if n < 0 {
			return fail(scanners.Corrupt, "a list has a negative length")
		}
		if n == 0 {
			return nil
		}
		for range n {
			if !first {
				d.write(",")
			}
			first = false
			if err := one(); err != nil {
				return err
			}
		}
	}
}

// plain decodes what has nothing below it.
func (d *decoder) plain(n *node) error {
	switch n.schema.Type() {
	case avro.Null:
		d.write("null")
		if d.full {
			d.leaves = append(d.leaves, leaf{path: d.place(n)})
		}
		return nil
	case avro.Boolean:
		b, err := d.take(1)
		if err != nil {
			return err
		}
		if b[0] > 1 {
			return fail(scanners.Corrupt, "a boolean is neither 0 nor 1")
		}
		word := [...]string{"false", "true"}[b[0]]
		d.write(word)
		d.scalar(n, append(d.room(), word...), false)
		return nil
	case avro.Int, avro.Long:
		v, err := d.long()
		if err != nil {
			return err
		}
		if n.schema.Type() == avro.Int && int64(int32(v)) != v {
			return fail(scanners.Corrupt, "an int is longer than 32 bits")
		}
		text, quoted := appendInteger(d.room(), n.logical, v)
		switch {
		case d.full && quoted && !n.loose:
			d.doc = strconv.AppendInt(d.doc, v, 10)
		case d.full:
			d.doc = appendText(d.doc, text, quoted)
		}
		d.scalar(n, text, false)
		return nil
	case avro.Float:
		b, err := d.take(4)
		if err != nil {
			return err
		}
		d.float(n, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32)
		return nil
	case avro.Double:
		b, err := d.take(8)
		if err != nil {
			return err
		}
		d.float(n, math.Float64frombits(binary.LittleEndian.Uint64(b)), 64)
		return nil
	case avro.String:
		b, err := d.bytes()
		if err != nil {
			return err
		}
		if d.full {
			d.doc = walk.AppendQuoted(d.doc, b)
		}
		d.scalar(n, b, false)
		return nil
	case avro.Enum:
		i, err := d.long()
		if err != nil {
			return err
		}
		symbols := n.schema.(*avro.EnumSchema).Symbols()
		if i < 0 || i >= int64(len(symbols)) {
			return fail(scanners.Corrupt, "an enum has no such symbol")
		}
		if d.full {
			d.doc = walk.AppendQuoted(d.doc, []byte(symbols[i]))
		}
		d.scalar(n, append(d.room(), symbols[i]...), false)
		return nil
	case avro.Bytes:
		b, err := d.bytes()
		if err != nil {
			return err
		}
		return d.opaque(n, b)
	case avro.Fixed:
		b, err := d.take(int64(n.schema.(*avro.FixedSchema).Size()))
		if err != nil {
			return err
		}
		return d.opaque(n, b)
	}
	return fail(scanners.Unsupported, "its schema has a type that is not known")
}

func (d *decoder) float(n *node, x float64, bits int) {
	if d.full {
		d.doc = appendNumber(d.doc, x, bits)
	}
	d.scalar(n, appendFloat(d.room(), x, bits), false)
}

// opaque takes bytes and fixed.
func (d *decoder) opaque(n *node, b []byte) error {
	switch {
	case n.logical == avro.Decimal && len(b) <= maxDecimal && n.scale <= maxDecimal:
		if d.full {
			text := appendDecimal(nil, b, n.scale, false)
			if digits(text) > n.digits {
				return fail(scanners.Corrupt, "a decimal has more digits than its precision")
			}
			d.doc = appendText(d.doc, text, true)
		}
		d.scalar(n, appendDecimal(d.room(), b, n.scale, true), false)
		return nil
	case n.logical == avro.Decimal:
		return fail(scanners.TooLarge, "a decimal is longer than 1024 bytes or digits of scale")
	case n.logical == avro.Duration && len(b) == 12:
		text := appendDuration(d.room(), b)
		if d.full {
			d.doc = appendText(d.doc, text, true)
		}
		d.scalar(n, text, false)
		return nil
	}
	if d.full {
		d.doc = append(d.doc, '"')
		d.doc = append(base64.StdEncoding.AppendEncode(d.doc, b), '"')
	}
	if n.schema.Type() == avro.Fixed && len(b) == 16 && !printable(b) {
		b = appendUUID(d.room(), b)
	}
	d.scalar(n, b, false)
	return nil
}

// room is where the text of a scalar is made. In full it must stay until the
// record was emitted.
func (d *decoder) room() []byte {
	if d.full {
		return nil
	}
	return d.scratch[:0]
}

// scalar takes the text of a leaf, or of a key.
func (d *decoder) scalar(n *node, text []byte, key bool) {
	kind := n.schema.Type()
	isText := (kind == avro.String || kind == avro.Bytes || kind == avro.Fixed) && (n.logical == "" || n.logical == avro.UUID)
	if d.full {
		if !isText || key {
			if text == nil {
				text = []byte{}
			}
			d.leaves = append(d.leaves, leaf{d.place(n), text, n.searched, key})
			return
		}
		for _, l := range d.walker.Text(text, d.place(n)) {
			value := l.Value
			if l.Kind != walk.Null {
				value = append([]byte{}, value...) // the walker's memory serves the next text
			}
			d.leaves = append(d.leaves, leaf{l.Path, value, true, l.Kind == walk.Key})
		}
		return
	}
	if n.searched {
		d.text = append(append(d.text, text...), 0)
	}
	for _, k := range n.fields {
		if d.finder.ProbeField(k, text) {
			d.candidate = true
		}
	}
	if !n.inside || len(text) < 2 {
		return
	}
	for _, l := range d.walker.Text(text, n.path) {
		d.fields.Leaf(l, func(k int, value []byte) {
			if d.finder.ProbeField(k, value) {
				d.candidate = true
			}
		})
	}
}
