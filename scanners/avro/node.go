package avro

import (
	"github.com/hamba/avro/v2"

	"expunge/scanners/walk"
)

// node is a place in the schema with its path. The nodes below are made when they
// are first needed: a schema that refers to itself has no end.
type node struct {
	schema  avro.Schema // never a reference
	above   *node
	loose   bool // it has no type in the record's Schema: its values are JSON as people write it
	logical avro.LogicalType
	scale   int
	digits  int // a decimal's precision
	path    string
	label   []byte // record fields: `"name":`
	root    bool   // the record itself, or a branch of it

	searched bool  // Probe and Find are asked
	fields   []int // declared fields that are this place
	inside   bool  // declared fields lie in the JSON of its values

	below []*node // record fields, union branches; key and values of a map, items
}

// nodes makes nodes.
type nodes struct {
	fields walk.Paths // that are declared
	n      int
}

// maxNodes bounds the places of a schema that refers to itself.
const maxNodes = 1 << 20

// make makes the node below above (nil: the record; then loose says whether its
// type is not told) that has this schema and path.
func (s *nodes) make(above *node, schema avro.Schema, path string, root, loose bool) *node {
	s.n++
	schema = resolve(schema)
	if root && path == "" && schema.Type() != avro.Record && schema.Type() != avro.Error && schema.Type() != avro.Union {
		path = "value"
	}
	n := &node{schema: schema, above: above, loose: loose, path: path, root: root, searched: true}
	if l, ok := schema.(avro.LogicalTypeSchema); ok && l.Logical() != nil {
		n.logical = l.Logical().Type()
		if d, ok := l.Logical().(*avro.DecimalLogicalSchema); ok {
			n.scale, n.digits = d.Scale(), d.Precision()
		}
	}
	var text bool
	switch schema.Type() {
	case avro.String, avro.Bytes, avro.Fixed:
		text = n.logical == "" || n.logical == avro.UUID
	case avro.Boolean:
		n.searched = false
	case avro.Record, avro.Error:
		for a := above; a != nil && !n.loose; a = a.above {
			n.loose = a.schema == schema // a record inside of itself
		}
		n.below = make([]*node, len(schema.(*avro.RecordSchema).Fields()))
		return n
	case avro.Union:
		u := schema.(*avro.UnionSchema)
		if _, one := nullable(u); !one && len(u.Types()) > 1 {
			n.loose = true
		}
		n.below = make([]*node, len(u.Types()))
		return n
	case avro.Map, avro.Array:
		n.below = make([]*node, 2)
		return n
	}
	switch n.logical {
	case avro.Date, avro.TimeMillis, avro.TimeMicros, avro.TimestampMillis, avro.TimestampMicros,
		avro.LocalTimestampMillis, avro.LocalTimestampMicros, avro.Duration:
		n.searched = false
	}
	n.fields = s.fields.At(path)
	n.searched = n.searched || len(n.fields) > 0
	n.inside = text && s.fields.Below(path)
	return n
}

// field, branch, item and value are what lies below n.
func (s *nodes) field(n *node, i int) *node {
	if n.below[i] == nil {
		f := n.schema.(*avro.RecordSchema).Fields()[i]
		path := f.Name()
		if n.path != "" {
			path = n.path + "." + path
		}
		b := s.make(n, f.Type(), path, false, n.loose)
		b.label = append(walk.AppendQuoted(nil, []byte(f.Name())), ':')
		n.below[i] = b
	}
	return n.below[i]
}

func (s *nodes) branch(n *node, i int) *node {
	if n.below[i] == nil {
		n.below[i] = s.make(n, n.schema.(*avro.UnionSchema).Types()[i], n.path, n.root, n.loose)
	}
	return n.below[i]
}

func (s *nodes) item(n *node) *node {
	if n.below[0] == nil {
		n.below[0] = s.make(n, n.schema.(*avro.ArraySchema).Items(), n.path+"[]", false, n.loose)
	}
	return n.below[0]
}

func (s *nodes) entry(n *node) (key, value *node) {
	if n.below[0] == nil {
		n.below[0] = s.make(n, avro.NewPrimitiveSchema(avro.String, nil), n.path+"{}", false, n.loose)
		n.below[1] = s.make(n, n.schema.(*avro.MapSchema).Values(), n.path+"{}", false, n.loose)
	}
	return n.below[0], n.below[1]
}
