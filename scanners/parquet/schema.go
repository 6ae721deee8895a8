package parquet

import (
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// shape is what a group stands for.
type shape uint8

const (
	group  shape = iota
	list         // the annotated group of a LIST; its only child repeats
	mapped       // the annotated group of a MAP; its only child is the entry
)

// node is a field of the schema.
type node struct {
	elem     *format.SchemaElement
	name     string
	path     string // as in the config
	shape    shape
	rep      format.FieldRepetitionType
	def, lvl int  // levels at which the node is there, and repeats
	element  bool // child of a LIST's repeated group that is nothing but the element
	wrapper  bool // repeated group of a LIST that only holds the element
	entry    bool // repeated group of a MAP
	children []*node
	leaf     *leaf // set for leaves
	first    int   // its leaves in the file's order: [first, last)
	last     int
}

// leaf is a column.
type leaf struct {
	node           *node
	name           string // dotted path in the schema
	path           string // as in the config
	typ            format.Type
	width          int // bytes of a fixed-width value, 0 for BYTE_ARRAY and BOOLEAN
	maxDef, maxRep int
	text           text
}

const maxDepth = 100

// buildSchema makes the tree of nodes of the footer's flat list.
func (f *file) buildSchema() error {
	elems := f.meta.Schema
	if len(elems) == 0 || elems[0].NumChildren.V <= 0 {
		return corrupt("schema has no columns")
	}
	next := 0
	root, err := f.addNode(nil, &next, 0, "", "")
	if err != nil {
		return err
	}
	if next != len(elems) {
		return corrupt("schema has %d elements that belong nowhere", len(elems)-next)
	}
	f.root = root
	f.schema, err = arrowSchema(root)
	return err
}

func (f *file) addNode(parent *node, next *int, depth int, path, name string) (*node, error) {
	if *next >= len(f.meta.Schema) || depth > maxDepth {
		return nil, corrupt("schema is cut off or nested too deeply")
	}
	e := &f.meta.Schema[*next]
	*next++
	n := &node{elem: e, name: e.Name, rep: e.RepetitionType.V, first: len(f.leaves)}
	if parent == nil {
		n.rep = format.Required
	} else {
		n.def, n.lvl = parent.def, parent.lvl
		switch n.rep {
		case format.Required:
		case format.Optional:
			n.def++
		case format.Repeated:
			n.def++
			n.lvl++
		default:
			return nil, corrupt("column %q has an unknown repetition", name)
		}
		if name != "" {
			name += "."
		}
		name += e.Name
		path = f.join(parent, n, path)
	}
	n.path = path
	if n.def > 255 || n.lvl > 255 {
		return nil, unsupported("column %q is nested too deeply", name)
	}
	if e.Type.Valid && e.NumChildren.V == 0 {
		l := &leaf{node: n, name: name, path: path, typ: e.Type.V, maxDef: n.def, maxRep: n.lvl}
		if err := l.init(e); err != nil {
			return nil, err
		}
		n.leaf = l
		f.leaves = append(f.leaves, l)
		n.last = len(f.leaves)
		return n, nil
	}
	count := int(e.NumChildren.V)
	if count < 0 || count > len(f.meta.Schema)-*next {
		return nil, corrupt("group %q has %d children", name, count)
	}
	if _, ok := e.LogicalType.Value.(*format.VariantType); ok {
		return nil, unsupported("column %q is a VARIANT", name)
	}
	if parent != nil && count == 1 && n.rep != format.Repeated {
		if c := f.meta.Schema[*next]; c.RepetitionType.V == format.Repeated {
			switch {
			case isList(e):
				n.shape = list
			case isMap(e) && c.NumChildren.V == 2:
				n.shape = mapped
			}
		}
	}
	if parent != nil && parent.shape == mapped {
		n.entry = true
	}
	if parent != nil && parent.shape == list && count == 1 && e.Name != "array" && e.Name != parent.name+"_tuple" {
		n.wrapper = true
	}
	for range count {
		c, err := f.addNode(n, next, depth+1, path, name)
		if err != nil {
			return nil, err
		}
		c.element = n.wrapper
		n.children = append(n.children, c)
	}
	n.last = len(f.leaves)
	if n.first == n.last {
		return nil, unsupported("group %q has no columns", name)
	}
	return n, nil
}

// join is the path of n below its parent's.
func (f *file) join(parent, n *node, path string) string {
	switch {
	case parent.shape == list:
		return path + "[]"
	case parent.shape == mapped:
		return path + "{}"
	case parent.wrapper || parent.entry:
		if n.rep == format.Repeated {
			return path + "[]"
		}
		return path
	}
	if path != "" {
		path += "."
	}
	path += n.name
	if n.rep == format.Repeated {
		path += "[]"
	}
	return path
}

func isList(e *format.SchemaElement) bool {
	if _, ok := e.LogicalType.Value.(*format.ListType); ok {
		return true
	}
	return e.ConvertedType.Valid && e.ConvertedType.V == deprecated.List
}

func isMap(e *format.SchemaElement) bool {
	if _, ok := e.LogicalType.Value.(*format.MapType); ok {
		return true
	}
	return e.ConvertedType.Valid && (e.ConvertedType.V == deprecated.Map || e.ConvertedType.V == deprecated.MapKeyValue)
}

// init checks the physical type and finds out what its values mean.
func (l *leaf) init(e *format.SchemaElement) error {
	switch l.typ {
	case format.Boolean, format.ByteArray:
	case format.Int32, format.Float:
		l.width = 4
	case format.Int64, format.Double:
		l.width = 8
	case format.Int96:
		l.width = 12
	case format.FixedLenByteArray:
		l.width = int(e.TypeLength.V)
		if l.width <= 0 || l.width > 1<<20 {
			return corrupt("column %q has values of %d bytes", l.name, l.width)
		}
	default:
		return unsupported("column %q has physical type %d", l.name, l.typ)
	}
	l.text = meaning(l, e)
	return nil
}
