package bundle

import (
	"strconv"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
)

// render turns physical integers of dates and times into text that people and
// other programs read.
func render(v value, t arrow.DataType) value {
	if t == nil {
		return v
	}
	switch t := t.(type) {
	case *arrow.StructType:
		out := v
		out.items = make([]value, len(v.items))
		for i, item := range v.items {
			out.items[i] = render(item, memberType(t, v.names[i]))
		}
		return out
	case *arrow.MapType:
		entry := arrow.StructOf(arrow.Field{Name: "key", Type: t.KeyType()}, arrow.Field{Name: "value", Type: t.ItemType()})
		return renderList(v, entry)
	case arrow.ListLikeType:
		return renderList(v, t.Elem())
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if v.kind != isNumber || err != nil {
		return v
	}
	text := ""
	switch t := t.(type) {
	case *arrow.Date32Type:
		text = time.Unix(n*86400, 0).UTC().Format(time.DateOnly)
	case *arrow.Time32Type:
		text = instant(n, t.Unit).Format("15:04:05.999999999")
	case *arrow.Time64Type:
		text = instant(n, t.Unit).Format("15:04:05.999999999")
	case *arrow.TimestampType:
		layout := "2006-01-02T15:04:05.999999999"
		if t.TimeZone != "" {
			layout += "Z"
		}
		text = instant(n, t.Unit).Format(layout)
	default:
		return v
	}
	return value{kind: isString, text: text}
}

func renderList(v value, elem arrow.DataType) value {
	out := v
	out.items = make([]value, len(v.items))
	for i, item := range v.items {
		out.items[i] = render(item, elem)
	}
	return out
}

func instant(n int64, u arrow.TimeUnit) time.Time {
	switch u {
	case arrow.Second:
		return time.Unix(n, 0).UTC()
	case arrow.Millisecond:
		return time.UnixMilli(n).UTC()
	case arrow.Microsecond:
		return time.UnixMicro(n).UTC()
	}
	return time.Unix(0, n).UTC()
}
