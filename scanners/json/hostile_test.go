package json

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

func bytesOf(data string) scanners.Input {
	return scanners.Input{Name: "o", Size: int64(len(data)), Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(data[off:])), nil
	}}
}

// Nesting without end neither ends the process nor hides what lies in it.
func TestNesting(t *testing.T) {
	const deep = 1 << 20
	lists := strings.Repeat("[", deep) + `"jane"` + strings.Repeat("]", deep)
	objects := strings.Repeat(`{"a":`, deep) + `"jane"` + strings.Repeat("}", deep)
	text := `"jane"`
	for range 12 { // JSON in strings in strings
		text = fmt.Sprintf("%q", `{"a":`+text+`}`)
	}
	for _, c := range []struct {
		name, data string
		code       scanners.Code // "": none
		records    int64
		suspect    int64 // where jane is looked for
	}{
		{"lists in a list", `[` + lists + `,{"a":1}]`, "", 2, 1},
		{"objects in a list", `[{"a":1},` + objects + `]`, "", 2, 1},
		{"objects", objects + "\n" + objects, "", 2, 2},
		{"512 deep", `[` + strings.Repeat("[", 512) + `"jane"` + strings.Repeat("]", 512) + `]`, "", 1, 0},
		{"513 deep", `[` + strings.Repeat("[", 513) + `"jane"` + strings.Repeat("]", 513) + `]`, "", 1, 1},
		{"strings in strings", `[{"a":` + text + `}]`, "", 1, 0},
		{"lists without end", strings.Repeat("[", deep), scanners.Truncated, 0, 0},
		{"objects without end", `[` + strings.Repeat(`{"a":`, deep), scanners.Truncated, 0, 0},
		{"ends without lists", `[{"a":1}` + strings.Repeat("]", deep), scanners.Corrupt, 1, 0},
		{"a bracket of the other kind", `[{"a":["jane"}]`, scanners.Truncated, 1, 0},
		{"a string without end", `[{"a":"` + strings.Repeat("[", deep), scanners.Truncated, 0, 0},
	} {
		for _, word := range []string{"jane", "nobody"} {
			var hits int
			stats, err := Scanner{}.Scan(t.Context(), bytesOf(c.data), &scantest.Finder{Literals: []string{word}}, func(*scanners.Record) error { hits++; return nil })
			ref := (*scanners.Refusal)(nil)
			if c.code == "" && err != nil || c.code != "" && (!errors.As(err, &ref) || ref.Code != c.code) || stats.Records != c.records {
				t.Errorf("%s: %v, %+v", c.name, err, stats)
			}
			if c.code != "" {
				continue
			}
			// Escapes make any record a candidate of this finder.
			if word == "jane" && (hits == 0 || stats.Suspect != c.suspect) || word == "nobody" && hits != 0 {
				t.Errorf("%s: %d hits of %s, %+v", c.name, hits, word, stats)
			}
		}
	}
}

// Memory does not grow with the list, and a record beyond the bound is refused
// before more of it is read.
func TestBounded(t *testing.T) {
	const n = 600_000
	record := `{"id":%07d,"text":"` + strings.Repeat("filler ", 14) + `"},` + "\n"
	one := int64(len(fmt.Sprintf(record, 0)))
	size := 1 + n*one - 2 + 1 // brackets, and no comma behind the last
	in := scanners.Input{Name: "o", Size: size, Open: func(context.Context, int64, int64) (io.ReadCloser, error) {
		i := 0
		return io.NopCloser(&produced{left: size, next: func() string {
			i++
			switch i {
			case 1:
				return "["
			case n + 1:
				return strings.TrimSuffix(fmt.Sprintf(record, i), ",\n") + "]"
			}
			return fmt.Sprintf(record, i)
		}}), nil
	}}
	scantest.Bounded(t, Scanner{}, in, n, 32<<20)

	in.Size = 1 << 40
	in.Open = func(context.Context, int64, int64) (io.ReadCloser, error) {
		first := true
		return io.NopCloser(&produced{left: 1 << 40, next: func() string {
			if first {
				first = false
				return `[{"a":"`
			}
			return strings.Repeat("x", 64<<10)
		}}), nil
	}
	_, err := Scanner{}.Scan(t.Context(), in, &scantest.Finder{}, func(*scanners.Record) error { return nil })
	if ref := (*scanners.Refusal)(nil); !errors.As(err, &ref) || ref.Code != scanners.TooLarge {
		t.Error(err)
	}
}

// produced is a body made while it is read.
type produced struct {
	next func() string
	rest string
	left int64
}

func (p *produced) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	if p.rest == "" {
		p.rest = p.next()
	}
	n := copy(b, p.rest)
	p.rest, p.left = p.rest[n:], p.left-int64(n)
	return n, nil
}
