package lake

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// object appends one JSON object in the order of calls, in Go's own hand so that
// escapes can be chosen.
type object struct{ b []byte }

func (o *object) raw(key, json string) *object {
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(appendString(o.b, key), ':')
	o.b = append(o.b, json...)
	return o
}

func (o *object) str(key, v string) *object {
	o.raw(key, "")
	o.b = appendString(o.b, v)
	return o
}

// opt writes null for "".
func (o *object) opt(key, v string) *object {
	if v == "" {
		return o.raw(key, "null")
	}
	return o.str(key, v)
}

func (o *object) num(key string, v int64) *object { return o.raw(key, strconv.FormatInt(v, 10)) }

func (o *object) String() string {
	if len(o.b) == 0 {
		return "{}"
	}
	return string(o.b) + "}"
}

func quoted(s string) string { return string(appendString(nil, s)) }

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '&':
			b = append(b, `\u0026`...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// cells writes one CSV record without its line end.
func cells(delimiter byte, cs ...string) []byte {
	var b []byte
	for i, c := range cs {
		if i > 0 {
			b = append(b, delimiter)
		}
		if strings.ContainsAny(c, "\"\n\r"+string(delimiter)) {
			c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
		}
		b = append(b, c...)
	}
	return b
}

// packed runs write on a compressing writer.
func packed(w io.Writer, codec string, write func(*bufio.Writer) error) error {
	var c io.WriteCloser
	switch codec {
	case "gzip":
		c = gzip.NewWriter(w)
	case "zstd":
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		if err != nil {
			return err
		}
		c = z
	}
	if c != nil {
		w = c
	}
	bw := bufio.NewWriterSize(w, 64<<10)
	if err := write(bw); err != nil {
		return err
	}
	if err := bw.Flush(); err != nil {
		return err
	}
	if c != nil {
		return c.Close()
	}
	return nil
}

// writeLines writes a record per line, now and then a blank line, which is none.
func writeLines(header, end string) func(*Lake, *file, io.Writer) error {
	return func(l *Lake, f *file, w io.Writer) error {
		codec := ""
		if f.ds.codec != nil {
			codec = f.ds.codec(f.n)
		}
		return packed(w, codec, func(bw *bufio.Writer) error {
			if header != "" {
				bw.WriteString(header + end)
			}
			return l.each(f, func(r *rec) error {
				bw.Write(f.ds.build(r))
				bw.WriteString(end)
				if r.index%97 == 41 {
					bw.WriteString(end)
				}
				return nil
			})
		})
	}
}

// writeArray writes the records as the elements of one JSON array.
func writeArray(l *Lake, f *file, w io.Writer) error {
	return packed(w, "", func(bw *bufio.Writer) error {
		n := 0
		bw.WriteString("[")
		err := l.each(f, func(r *rec) error {
			if n++; n > 1 {
				bw.WriteString(",")
			}
			bw.WriteString("\n  ")
			_, err := bw.Write(f.ds.build(r))
			return err
		})
		bw.WriteString("\n]\n")
		return err
	})
}
