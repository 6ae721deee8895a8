package media

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

// maxBoxDepth bounds how deep boxes are looked for metadata: the format's own lie
// six deep.
const maxBoxDepth = 10

// isMP4 tells MP4, M4A, 3GP and QuickTime by their first box.
func isMP4(head []byte) bool {
	if len(head) < 8 {
		return false
	}
	switch string(head[4:8]) {
	case "ftyp", "moov":
		return true
	case "wide", "free", "skip", "mdat", "pnot": // old QuickTime; what else begins so is told by its size
		n := binary.BigEndian.Uint32(head)
		return n == 1 || n >= 8 && n < 1<<20 || string(head[4:8]) == "mdat"
	}
	return false
}

// boxes calls each for the boxes from off to end, with where their content lies.
// What begins no box is malformed; a last one that is cut is handed over as it is.
func (t *tags) boxes(off, end int64, each func(kind string, from, to int64) error) error {
	for off+8 <= end {
		if err := t.chunk(); err != nil {
			return err
		}
		read := t.r.at
		if end == t.r.in.Size { // the file's own boxes
			read = t.r.few
		}
		h, err := read(off, min(16, end-off))
		if err != nil {
			return err
		}
		size, head := int64(binary.BigEndian.Uint32(h)), int64(8)
		kind := string(h[4:8])
		switch size {
		case 0:
			size = end - off // to the end
			if kind == "\x00\x00\x00\x00" {
				return nil // the zeros that QuickTime ends lists with
			}
		case 1:
			if len(h) < 16 {
				return errMalformed
			}
			size, head = int64(min(binary.BigEndian.Uint64(h[8:]), 1<<62)), 16
		}
		if size < head {
			return errMalformed
		}
		cut := size > end-off
		if err := each(kind, off+head, min(off+size, end)); err != nil {
			return err
		}
		if cut {
			if kind == "mdat" { // a recorder that was killed
				return nil
			}
			return errMalformed
		}
		off += size
	}
	return nil
}

// mp4 looks for metadata in the boxes from off to end: iTunes' lists (ilst), 3GPP's
// and QuickTime's user data (udta), XMP. Fragments (moof) hold sound and times of it.
func (t *tags) mp4(off, end int64, depth int) error {
	if depth > maxBoxDepth {
		return errMalformed
	}
	return t.boxes(off, end, func(kind string, from, to int64) error {
		switch kind {
		case "moov", "trak":
			return t.mp4(from, to, depth+1)
		case "udta":
			return t.userData(from, to, depth+1)
		case "meta":
			return t.metaBox(from, to)
		case "uuid", "XMP_":
			return t.xmp(kind, from, to)
		}
		return nil
	})
}

// xmp reads a box of XMP, which in a "uuid" is told by its id.
func (t *tags) xmp(kind string, from, to int64) error {
	if kind == "uuid" {
		id, err := t.r.upTo(from, min(16, to-from))
		if err != nil || string(id) != "\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac" {
			return err
		}
		from += 16
	}
	b, err := t.r.at(from, to-from)
	if err != nil {
		return err
	}
	t.add("(mp4).xmp", loose(b))
	return nil
}

// userData reads what lies in a "udta".
func (t *tags) userData(off, end int64, depth int) error {
	return t.boxes(off, end, func(kind string, from, to int64) error {
		switch kind {
		case "meta":
			return t.metaBox(from, to)
		case "ilst":
			return t.items(from, to, nil)
		case "udta", "moov", "trak":
			return t.mp4(from, to, depth+1)
		case "uuid", "XMP_":
			return t.xmp(kind, from, to)
		}
		b, err := t.r.at(from, to-from)
		if err != nil {
			return err
		}
		switch {
		case kind[0] == 0xa9: // QuickTime: texts with length and language
			for len(b) >= 4 {
				n := int(binary.BigEndian.Uint16(b))
				if n > len(b)-4 {
					t.add("(mp4)."+boxName(kind), loose(b[4:]))
					return nil
				}
				t.add("(mp4)."+boxName(kind), wideOrLoose(b[4:4+n]))
				b = b[4+n:]
			}
		case kind == "loci" && len(b) > 6: // a place: its name, numbers, a body and notes
			for text := range bytes.SplitSeq(b[6:], []byte{0}) {
				if readable(text) {
					t.add("(mp4).loci", loose(text))
				}
			}
		case len(b) > 6 && bytes.HasPrefix(b, []byte{0, 0, 0, 0}): // 3GPP: version, language, text
			text := b[6:]
			if kind == "kywd" || kind == "clsf" || kind == "rtng" || kind == "yrrc" { // more of numbers before their texts
				text = bytes.TrimLeftFunc(text, func(r rune) bool { return r < ' ' })
			}
			if wide := wideOrLoose(text); readable(wide) {
				t.add("(mp4)."+boxName(kind), wide)
			}
		case readable(b): // "name" and others' own
			t.add("(mp4)."+boxName(kind), loose(b))
		}
		return nil
	})
}

// metaBox reads a "meta": MPEG's begins with version and flags, QuickTime's does not.
func (t *tags) metaBox(off, end int64) error {
	h, err := t.r.upTo(off, min(8, end-off))
	if err != nil {
		return err
	}
	if len(h) >= 4 && bytes.HasPrefix(h, []byte{0, 0, 0, 0}) {
		off += 4
	}
	var names []string // by number, of QuickTime's keys
	return t.boxes(off, end, func(kind string, from, to int64) error {
		switch kind {
		case "keys":
			b, err := t.r.at(from, to-from)
			if err != nil || len(b) < 8 {
				return err
			}
			for b = b[8:]; len(b) >= 8; {
				n := int64(binary.BigEndian.Uint32(b))
				if n < 8 || n > int64(len(b)) {
					return errMalformed
				}
				if err := t.chunk(); err != nil {
					return err
				}
				names = append(names, string(b[8:n]))
				b = b[n:]
			}
		case "ilst":
			return t.items(from, to, names)
		case "xml ", "uuid", "XMP_":
			return t.xmp(kind, from, to)
		}
		return nil
	})
}

// items reads an "ilst".
func (t *tags) items(off, end int64, names []string) error {
	return t.boxes(off, end, func(kind string, from, to int64) error {
		if kind == "covr" {
			return nil // a picture
		}
		name := boxName(kind)
		if n := binary.BigEndian.Uint32([]byte(kind)); n >= 1 && int(n) <= len(names) {
			name = lastName(names[n-1])
		}
		return t.boxes(from, to, func(kind string, from, to int64) error {
			if kind != "data" && kind != "name" {
				return nil
			}
			b, err := t.r.at(from, to-from)
			if err != nil {
				return err
			}
			if kind == "name" { // of an item of someone's own
				if len(b) > 4 {
					name = lastName(string(b[4:]))
				}
				return nil
			}
			if len(b) < 8 {
				return errMalformed
			}
			t.value("(mp4)."+name, binary.BigEndian.Uint32(b)&0xffffff, b[8:])
			return nil
		})
	})
}

// value adds an item's value by its well-known type.
func (t *tags) value(path string, kind uint32, b []byte) {
	switch kind {
	case 1, 4: // UTF-8, and the same for sorting
		t.add(path, loose(b))
	case 2, 5:
		t.add(path, decode(2, b))
	case 21, 22: // integers of up to eight bytes
		if len(b) > 0 && len(b) <= 8 {
			var n uint64
			for _, c := range b {
				n = n<<8 | uint64(c)
			}
			t.add(path, strconv.AppendUint(nil, n, 10))
		}
	case 12, 13, 14, 27: // pictures
	default:
		if readable(b) {
			t.add(path, loose(b))
		}
	}
}

// wideOrLoose is text that is UTF-16 where it has a byte order mark.
func wideOrLoose(b []byte) []byte {
	if bytes.HasPrefix(b, []byte("\xfe\xff")) || bytes.HasPrefix(b, []byte("\xff\xfe")) {
		return bytes.TrimRight(decode(1, b), "\x00")
	}
	return loose(b)
}

// readable reports whether b is text rather than numbers.
func readable(b []byte) bool {
	b = bytes.TrimRight(b, "\x00")
	if len(b) == 0 || !utf8.Valid(b) {
		return false
	}
	return bytes.IndexFunc(b, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }) < 0
}

// boxName is a box's four characters as they can stand in a path.
func boxName(kind string) string {
	if kind[0] == 0xa9 {
		if rest := key([]byte(kind[1:])); rest != "?" {
			return "\u00a9" + rest
		}
		return "?"
	}
	return key([]byte(kind))
}

// lastName is what stands behind the last dot of "com.apple.quicktime.author".
func lastName(name string) string {
	b := []byte(name)
	return key(b[bytes.LastIndexByte(b, '.')+1:])
}
