package plan

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"expunge/pipeline"
)

// A plan is read once for every round and for most steps after, so its records are
// not JSON: a record is a version, numbers as varints and strings with their length.
// Captures are named, and are mostly places in the key.
const codecVersion = 1

var errCodec = errors.New("a record of the plan is not what this version writes")

// encode appends the record of o.
func encode(dst []byte, o *pipeline.Object) []byte {
	text := func(s string) { dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...) }
	dst = append(dst, codecVersion)
	dst = binary.AppendVarint(dst, o.N)
	text(o.Store)
	text(o.Key)
	text(o.Version)
	text(o.ETag)
	dst = binary.AppendVarint(dst, o.Size)
	dst = appendTime(dst, o.Modified)
	text(o.Class)
	noncurrent := byte(0)
	if o.Noncurrent {
		noncurrent = 1
	}
	dst = append(dst, noncurrent)
	dst = binary.AppendVarint(dst, int64(o.Dataset))
	text(o.Account)
	text(string(o.Outcome))
	text(o.Code)
	text(o.Reason)
	names := make([]string, 0, 8)
	for name := range o.Captures {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, name := range names {
		text(name)
		value := o.Captures[name]
		at := strings.Index(o.Key, value)
		dst = binary.AppendVarint(dst, int64(at))
		if at < 0 { // no part of the key as it is
			text(value)
		} else {
			dst = binary.AppendUvarint(dst, uint64(len(value)))
		}
	}
	return dst
}

// appendTime writes a time as a zero, or as 1, seconds and nanoseconds.
func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, 0)
	}
	dst = binary.AppendVarint(append(dst, 1), t.Unix())
	return binary.AppendUvarint(dst, uint64(t.Nanosecond()))
}

// words are strings that come again and again, so that each is kept once.
type words map[string]string

const maxWords = 4096 // of a shard; more are not worth remembering

func (w words) intern(b []byte) string {
	if s, ok := w[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(w) < maxWords {
		w[s] = s
	}
	return s
}

// decode reads a record into o.
func (w words) decode(rec []byte, o *pipeline.Object) error {
	d := decoder{rest: rec}
	if d.byte() != codecVersion {
		return errCodec
	}
	o.N = d.varint()
	o.Store = w.intern(d.text())
	o.Key = string(d.text())
	o.Version = string(d.text())
	o.ETag = string(d.text())
	o.Size = d.varint()
	if d.byte() == 1 {
		seconds := d.varint()
		o.Modified = time.Unix(seconds, int64(d.uvarint())).UTC()
	}
	o.Class = w.intern(d.text())
	o.Noncurrent = d.byte() == 1
	o.Dataset = int(d.varint())
	o.Account = w.intern(d.text())
	o.Outcome = pipeline.Outcome(w.intern(d.text()))
	o.Code = w.intern(d.text())
	o.Reason = w.intern(d.text())
	if n := d.uvarint(); n > 0 && n <= uint64(len(d.rest)) {
		o.Captures = make(map[string]string, n)
		for range n {
			name := w.intern(d.text())
			if at := d.varint(); at < 0 {
				o.Captures[name] = string(d.text())
			} else if n := d.uvarint(); d.bad || uint64(at) > uint64(len(o.Key)) || n > uint64(len(o.Key))-uint64(at) {
				return errCodec
			} else {
				o.Captures[name] = o.Key[at : at+int64(n)]
			}
		}
	} else if n > 0 {
		return errCodec
	}
	if d.bad || len(d.rest) > 0 {
		return errCodec
	}
	return nil
}

// decoder reads the parts of a record; after the first that is not there it is bad.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) varint() int64 {
	v, k := binary.Varint(d.rest)
	if k <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[k:]
	return v
}

func (d *decoder) uvarint() uint64 {
	v, k := binary.Uvarint(d.rest)
	if k <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[k:]
	return v
}

// text is valid as long as the record.
func (d *decoder) text() []byte {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}
