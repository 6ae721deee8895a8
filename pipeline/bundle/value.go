package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

type kind byte

const (
	isNull kind = iota
	isBool
	isNumber
	isString
	isObject
	isList
)

// value is JSON that keeps the order of members and the digits of numbers.
type value struct {
	kind  kind
	text  string // of strings and numbers; "true" or "false"
	names []string
	items []value // of lists; of objects, in the order of names
}

// maxDepth bounds recursion over foreign JSON; what lies deeper makes a row malformed.
const maxDepth = 1000

func parse(doc []byte) (value, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	v, err := parseNext(dec, 0)
	if err != nil {
		return value{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return value{}, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}

func parseNext(dec *json.Decoder, depth int) (value, error) {
	if depth > maxDepth {
		return value{}, fmt.Errorf("JSON is nested too deeply")
	}
	t, err := dec.Token()
	if err != nil {
		return value{}, err
	}
	switch t := t.(type) {
	case bool:
		return value{kind: isBool, text: strconv.FormatBool(t)}, nil
	case json.Number:
		return value{kind: isNumber, text: t.String()}, nil
	case string:
		return value{kind: isString, text: t}, nil
	case json.Delim:
		v := value{kind: isList}
		if t == '{' {
			v.kind = isObject
		}
		for dec.More() {
			if v.kind == isObject {
				name, err := dec.Token()
				if err != nil {
					return value{}, err
				}
				v.names = append(v.names, name.(string))
			}
			item, err := parseNext(dec, depth+1)
			if err != nil {
				return value{}, err
			}
			v.items = append(v.items, item)
		}
		_, err := dec.Token()
		return v, err
	}
	return value{}, nil
}

// distinct gives every name of every object once: a name that stands again, or
// that is reserved, gets the suffix "__2" (or the next that is free).
func (v *value) distinct(reserved map[string]bool) {
	if v.kind == isObject {
		given := make(map[string]bool, len(v.names))
		for _, n := range v.names {
			given[n] = true
		}
		used := make(map[string]bool, len(v.names))
		next := map[string]int{} // by name: the suffixes below are taken
		for i, n := range v.names {
			name := n
			for k := max(2, next[n]); used[name] || reserved[name] || name != n && given[name]; k++ {
				name, next[n] = n+"__"+strconv.Itoa(k), k+1
			}
			used[name], v.names[i] = true, name
		}
	}
	for i := range v.items {
		v.items[i].distinct(nil)
	}
}

// member returns the member of an object with this name.
func (v *value) member(i int, name string) (value, bool) {
	if i < len(v.names) && v.names[i] == name { // rows of one source are alike
		return v.items[i], true
	}
	for j, n := range v.names {
		if n == name {
			return v.items[j], true
		}
	}
	return value{}, false
}

func appendString(b []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // strings always encode
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}

// json appends v as compact JSON.
func (v value) json(b []byte) []byte {
	switch v.kind {
	case isNull:
		return append(b, "null"...)
	case isBool, isNumber:
		return append(b, v.text...)
	case isString:
		return appendString(b, v.text)
	}
	opening, closing := byte('['), byte(']')
	if v.kind == isObject {
		opening, closing = '{', '}'
	}
	b = append(b, opening)
	for i, item := range v.items {
		if i > 0 {
			b = append(b, ',')
		}
		if v.kind == isObject {
			b = append(appendString(b, v.names[i]), ':')
		}
		b = item.json(b)
	}
	return append(b, closing)
}

// exactInt reports whether v is an integer as int64 holds it.
func (v value) exactInt() bool {
	_, err := strconv.ParseInt(v.text, 10, 64)
	return err == nil && v.text != "-0"
}

// exactFloat reports whether the shortest text of v as a float64 is the same
// number: nobody who reads the double can tell it from the source's.
func (v value) exactFloat() bool {
	f, err := strconv.ParseFloat(v.text, 64)
	if err != nil {
		return false
	}
	d1, e1 := digits(v.text)
	d2, e2 := digits(strconv.FormatFloat(f, 'e', -1, 64))
	return d1 == d2 && e1 == e2
}

// digits normalises a decimal to digits without zeros at either end, times a
// power of ten. The sign stays, also that of zero.
func digits(s string) (string, int) {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	exp := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		if err != nil {
			return sign + s, 0
		}
		exp, s = e, s[:i]
	}
	whole, frac, _ := strings.Cut(s, ".")
	s, exp = strings.TrimLeft(whole+frac, "0"), exp-len(frac)
	t := strings.TrimRight(s, "0")
	if t == "" {
		return sign + "0", 0
	}
	return sign + t, exp + len(s) - len(t)
}
