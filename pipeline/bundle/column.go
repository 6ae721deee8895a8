package bundle

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
)

// A column deeper or an object wider than this is kept as JSON text: readers
// choke on such schemas, and pass 1 keeps every column in memory. A table has at most
// maxColumns, those within objects counted: what is beyond goes to one column as text.
const (
	maxColumnDepth = 24
	maxMembers     = 1000
	maxColumns     = 2000
)

// column unites what the rows of a bundle hold in one place.
type column struct {
	name    string
	seen    [isList + 1]bool
	float   bool // some number is no int64
	inexact bool // some number is no float64
	mixed   bool // what was seen has no type in common
	typed   arrow.DataType
	isMap   bool
	fields  []*column
	index   map[string]int
	elem    *column // of lists
	key     *column // of maps; the values' is elem
	depth   int
	room    *int // how many columns the table may still get
	more    bool // of a table: some have found no room, and none is added after
}

// newRoot is the column that stands for a table.
func newRoot() column {
	room := maxColumns
	return column{room: &room}
}

// field is the column of a member, nil if there is no room for it.
func (c *column) field(name string) *column {
	if i, ok := c.index[name]; ok {
		return c.fields[i]
	}
	if *c.room == 0 || c.more {
		c.full()
		return nil
	}
	*c.room--
	if c.index == nil {
		c.index = map[string]int{}
	}
	f := &column{name: name, depth: c.depth + 1, room: c.room}
	c.index[name] = len(c.fields)
	c.fields = append(c.fields, f)
	return f
}

// see takes in a value of a source without types.
func (c *column) see(v value) {
	if v.kind == isNull || c.mixed {
		return
	}
	c.seen[v.kind] = true
	switch v.kind {
	case isNumber:
		c.float = c.float || !v.exactInt()
		c.inexact = c.inexact || !v.exactFloat()
	case isObject:
		for i, n := range v.names {
			if f := c.field(n); f != nil {
				f.see(v.items[i])
			}
			if c.mixed {
				return
			}
		}
	case isList:
		for _, item := range v.items {
			c.element().see(item)
		}
	}
	c.settle()
}

// settle drops what lies below a column that is text anyway.
func (c *column) settle() {
	n := 0
	for _, s := range c.seen {
		if s {
			n++
		}
	}
	if c.typed != nil || c.isMap {
		n++
	}
	if n > 1 || c.depth > maxColumnDepth || c.depth > 0 && len(c.fields) > maxMembers {
		c.drop()
	}
}

// full notes that a member has found no room: an object becomes text.
func (c *column) full() {
	if c.depth == 0 {
		c.more = true
		return
	}
	c.drop()
}

// drop makes the column text, and gives back the room of what lies below it.
func (c *column) drop() {
	*c.room += c.below()
	c.mixed, c.fields, c.index, c.elem, c.key = true, nil, nil, nil, nil
}

// below counts the columns below it.
func (c *column) below() int {
	n := len(c.fields)
	for _, f := range c.fields {
		n += f.below()
	}
	if c.elem != nil {
		n += c.elem.below()
	}
	if c.key != nil {
		n += c.key.below()
	}
	return n
}

func (c *column) element() *column {
	if c.elem == nil {
		c.elem = &column{name: "element", depth: c.depth + 1, room: c.room}
	}
	return c.elem
}

// seeType takes in the type of a source that has types.
func (c *column) seeType(t arrow.DataType) {
	if c.mixed || t.ID() == arrow.NULL {
		return
	}
	switch t := t.(type) {
	case *arrow.StructType:
		c.seen[isObject] = true
		for _, f := range t.Fields() {
			if member := c.field(f.Name); member != nil {
				member.seeType(f.Type)
			}
			if c.mixed {
				return
			}
		}
	case *arrow.MapType:
		c.isMap = true
		if c.key == nil {
			c.key = &column{name: "key", depth: c.depth + 1, room: c.room}
		}
		c.key.seeType(t.KeyType())
		c.element().seeType(t.ItemType())
	case arrow.ListLikeType:
		c.seen[isList] = true
		c.element().seeType(t.Elem())
	default:
		switch {
		case !leaf(t) || c.typed != nil && !arrow.TypeEqual(c.typed, t):
			c.mixed = true
			return
		}
		c.typed = t
	}
	c.settle()
}

// leaf reports whether columns of type t can be written as they are.
func leaf(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.BOOL, arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64,
		arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64, arrow.STRING, arrow.BINARY, arrow.FIXED_SIZE_BINARY,
		arrow.DECIMAL128, arrow.DECIMAL256, arrow.DATE32, arrow.TIME32, arrow.TIME64, arrow.TIMESTAMP:
		return true
	}
	return false
}

// text reports whether values are kept as JSON text because no type fits.
func (c *column) text() bool {
	if c.mixed || c.typed != nil || c.isMap {
		return c.mixed
	}
	return c.seen[isObject] && len(c.fields) == 0 || c.seen[isNumber] && c.float && c.inexact
}

// arrowType is the type that the column is written with.
func (c *column) arrowType() arrow.DataType {
	switch {
	case c.text():
		return arrow.BinaryTypes.String
	case c.typed != nil && c.typed.ID() == arrow.FLOAT16: // the writer knows none; a float32 holds each exactly
		return arrow.PrimitiveTypes.Float32
	case c.typed != nil:
		return c.typed
	case c.isMap:
		return arrow.MapOf(c.key.arrowType(), c.elem.arrowType())
	case c.seen[isObject]:
		return arrow.StructOf(c.arrowFields()...)
	case c.seen[isList]:
		return arrow.ListOfField(arrow.Field{Name: "element", Type: c.element().arrowType(), Nullable: true})
	case c.seen[isBool]:
		return arrow.FixedWidthTypes.Boolean
	case c.seen[isNumber] && c.float:
		return arrow.PrimitiveTypes.Float64
	case c.seen[isNumber]:
		return arrow.PrimitiveTypes.Int64
	}
	return arrow.BinaryTypes.String
}

func (c *column) arrowFields() []arrow.Field {
	fields := make([]arrow.Field, len(c.fields))
	for i, f := range c.fields {
		fields[i] = arrow.Field{Name: f.name, Type: f.arrowType(), Nullable: true}
	}
	return fields
}

// readSchema reads the types of a row's source; with rename, names that distinct
// changes in its rows are changed here, too.
func readSchema(b []byte, rename bool) (_ *arrow.StructType, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read schema: %v", p)
		}
	}()
	r, err := ipc.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	defer r.Release()
	fields := r.Schema().Fields()
	if !rename {
		return arrow.StructOf(fields...), nil
	}
	names := value{kind: isObject, items: make([]value, len(fields))}
	for _, f := range fields {
		names.names = append(names.names, f.Name)
	}
	names.distinct(reserved())
	out := make([]arrow.Field, len(fields))
	for i, f := range fields {
		out[i] = f
		out[i].Name = names.names[i]
	}
	return arrow.StructOf(out...), nil
}
