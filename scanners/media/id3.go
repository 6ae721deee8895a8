package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"expunge/scanners/compress"
)

// syncsafe reads an integer of seven bits a byte.
func syncsafe(b []byte) int64 {
	var n int64
	for _, c := range b {
		n = n<<7 | int64(c&0x7f)
	}
	return n
}

// unsync undoes what keeps a decoder from seeing a sync: FF 00 stands for FF.
func unsync(b []byte) []byte { return bytes.ReplaceAll(b, []byte{0xff, 0}, []byte{0xff}) }

// id3 reads an ID3v2 tag (2.2, 2.3 or 2.4) at off and returns where it ends.
// Frames that are no text (pictures) are stepped over.
func (t *tags) id3(off int64) (end int64, err error) {
	h, err := t.r.at(off, 10)
	if err != nil {
		return 0, err
	}
	version, flags, size := h[3], h[5], syncsafe(h[6:10])
	off += 10
	end = off + size
	if string(h[:3]) != "ID3" || end > t.r.in.Size {
		return 0, errMalformed
	}
	if flags&0x10 != 0 && version == 4 {
		end += 10 // a footer
	}
	if version < 2 || version > 4 || version == 2 && flags&0x40 != 0 {
		return 0, fmt.Errorf("ID3 tag of version 2.%d: %w", version, compress.ErrUnsupported)
	}
	// Where the whole tag is unsynchronised its frames cannot be stepped over: all
	// of it is read. Else frames are read one by one, past what is no text.
	src := frames{t: t, off: off, end: off + size}
	if flags&0x80 != 0 && version < 4 {
		b, err := t.r.at(off, size)
		if err != nil {
			return 0, err
		}
		src = frames{t: t, whole: unsync(b)}
		src.whole, src.end = bytes.Clone(src.whole), int64(len(src.whole))
	}
	if flags&0x40 != 0 { // an extended header
		b, err := src.at(4)
		if err != nil {
			return 0, err
		}
		if version == 3 {
			src.off += 4 + int64(binary.BigEndian.Uint32(b))
		} else {
			src.off += syncsafe(b)
		}
	}
	return end, src.all(version, flags&0x80 != 0)
}

// frames are the frames of a tag, in the object or unsynchronised in memory.
type frames struct {
	t        *tags
	whole    []byte
	off, end int64
}

func (s *frames) at(n int64) ([]byte, error) {
	if n > s.end-s.off {
		return nil, errMalformed
	}
	if s.whole != nil {
		return s.whole[s.off : s.off+n], nil
	}
	return s.t.r.at(s.off, n)
}

func (s *frames) all(version byte, unsynced bool) error {
	idLen, headLen := int64(4), int64(10)
	if version == 2 {
		idLen, headLen = 3, 6
	}
	for s.end-s.off >= headLen {
		if err := s.t.chunk(); err != nil {
			return err
		}
		h, err := s.at(headLen)
		if err != nil {
			return err
		}
		if h[0] == 0 {
			return nil // padding
		}
		id := string(h[:idLen])
		if key(h[:idLen]) != id {
			return errMalformed
		}
		var n int64
		var packed, own, length, grouped bool
		switch version {
		case 2:
			n = int64(h[3])<<16 | int64(h[4])<<8 | int64(h[5])
		case 3:
			n = int64(binary.BigEndian.Uint32(h[4:]))
			packed, grouped = h[9]&0xc0 != 0, h[9]&0x20 != 0
		case 4:
			n = syncsafe(h[4:8])
			packed, own, length, grouped = h[9]&0x0c != 0, h[9]&2 != 0, h[9]&1 != 0, h[9]&0x40 != 0
		}
		s.off += headLen
		if id[0] == 'T' || id[0] == 'W' || id == "COMM" || id == "COM" || id == "USLT" || id == "ULT" || id == "IPLS" {
			if packed {
				return fmt.Errorf("compressed or encrypted ID3 frame: %w", compress.ErrUnsupported)
			}
			b, err := s.at(n)
			if err != nil {
				return err
			}
			skip := 0
			if grouped {
				skip++
			}
			if length {
				skip += 4
			}
			if skip > len(b) {
				return errMalformed
			}
			if b = b[skip:]; own || unsynced && version == 4 {
				b = unsync(b)
			}
			s.t.frame(id, b)
		}
		if n > s.end-s.off {
			return errMalformed
		}
		s.off += n
	}
	return nil
}

// frame adds the texts of a frame. Each has its own leaf: a description can name
// a person as well as a text can.
func (t *tags) frame(id string, b []byte) {
	path := "(id3)." + id
	if id[0] == 'W' && id != "WXXX" && id != "WXX" { // a bare URL
		url, _, _ := bytes.Cut(b, []byte{0})
		t.add(path, latin1(url))
		return
	}
	if len(b) == 0 {
		return
	}
	encoding := b[0]
	b = b[1:]
	described := id == "TXXX" || id == "TXX" || id == "WXXX" || id == "WXX"
	switch id {
	case "COMM", "COM", "USLT", "ULT": // a language comes first
		b, described = b[min(3, len(b)):], true
	}
	for i := 0; len(b) > 0; i++ {
		var text []byte
		text, b = cutText(encoding, b)
		if described && i == 0 {
			t.add(path+".description", decode(encoding, text))
			if id[0] == 'W' {
				encoding = 0
			}
			continue
		}
		t.add(path, decode(encoding, text))
	}
}

// cutText cuts a text at its terminator.
func cutText(encoding byte, b []byte) (text, rest []byte) {
	if encoding != 1 && encoding != 2 {
		text, rest, _ = bytes.Cut(b, []byte{0})
		return text, rest
	}
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 && b[i+1] == 0 {
			return b[:i], b[i+2:]
		}
	}
	return b, nil
}

// decode gives UTF-8. Encodings: Latin-1, UTF-16 with a mark, UTF-16BE, UTF-8.
func decode(encoding byte, b []byte) []byte {
	switch encoding {
	case 1, 2:
		var order binary.ByteOrder = binary.BigEndian
		if bytes.HasPrefix(b, []byte("\xff\xfe")) {
			order, b = binary.LittleEndian, b[2:]
		} else if bytes.HasPrefix(b, []byte("\xfe\xff")) {
			b = b[2:]
		} else if encoding == 1 {
			order = binary.LittleEndian // no mark: what most writers mean
		}
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = order.Uint16(b[2*i:])
		}
		return []byte(string(utf16.Decode(units)))
	case 0:
		if !utf8.Valid(b) {
			return latin1(b)
		}
	}
	return loose(b) // UTF-8, or what many writers call Latin-1 and is UTF-8
}

// id3v1 reads the tag of fixed fields that an MP3 may end with.
func (t *tags) id3v1() error {
	if t.r.in.Size < 128 {
		return nil
	}
	b, err := t.r.at(t.r.in.Size-128, 128)
	if err != nil || string(b[:3]) != "TAG" {
		return err
	}
	for _, f := range []struct {
		name   string
		at, to int
	}{{"title", 3, 33}, {"artist", 33, 63}, {"album", 63, 93}, {"year", 93, 97}, {"comment", 97, 127}} {
		text, _, _ := bytes.Cut(b[f.at:f.to], []byte{0})
		t.add("(id3v1)."+f.name, loose(text))
	}
	return nil
}
