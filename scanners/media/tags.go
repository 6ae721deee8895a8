package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"expunge/scanners"
	"expunge/scanners/compress"
	"expunge/scanners/detect"
)

// tags collects the metadata of one object.
type tags struct {
	r      *ranges
	leaves []scanners.Leaf
	chunks int
}

// chunk counts what is stepped over, so that no object keeps a scan forever.
func (t *tags) chunk() error {
	if t.chunks++; t.chunks > maxChunks {
		return errTooLarge
	}
	return nil
}

func (t *tags) add(path string, value []byte) {
	if len(value) > 0 {
		t.leaves = append(t.leaves, scanners.Leaf{Path: path, Value: value})
	}
}

// object reads the metadata of whatever container the object is.
func (t *tags) object() error {
	head, err := t.r.upTo(0, 64)
	if err != nil {
		return err
	}
	if codec := compress.Detect(head); codec == compress.Gzip || codec == compress.Zstd {
		return fmt.Errorf("media packed with %s: %w", codec, compress.ErrUnsupported)
	}
	off := int64(0)
	if bytes.HasPrefix(head, []byte("ID3")) {
		n, err := t.id3(0)
		if err != nil {
			return err
		}
		off = n
		if head, err = t.r.upTo(off, 64); err != nil {
			return err
		}
	}
	switch {
	case len(head) >= 12 && (string(head[:4]) == "RIFF" || string(head[:4]) == "RF64") && string(head[8:12]) == "WAVE":
		err = t.wav(off + 12)
	case bytes.HasPrefix(head, []byte("fLaC")):
		err = t.flac(off + 4)
	case bytes.HasPrefix(head, []byte("OggS")):
		err = t.ogg(off)
	case isMP4(head):
		err = t.mp4(off, t.r.in.Size, 0)
	case off == 0:
		err = t.other()
	}
	if err != nil {
		return err
	}
	return t.id3v1()
}

// other refuses what is no media but is read by another scanner: in records of a format
// that nobody has named nothing would be found.
func (t *tags) other() error {
	head, err := t.r.upTo(0, detect.HeadSize)
	if err != nil || len(head) == 0 {
		return err
	}
	switch format := detect.Named(head, t.r.in.Ext); format {
	case detect.Media, detect.Unknown:
		return nil
	default:
		return fmt.Errorf("its content is %s, which is not looked into as media; give it a dataset of another format: %w", format, compress.ErrUnsupported)
	}
}

// wav walks the chunks of a WAV file from off on.
func (t *tags) wav(off int64) error {
	for off+8 <= t.r.in.Size {
		if err := t.chunk(); err != nil {
			return err
		}
		h, err := t.r.at(off, 8)
		if err != nil {
			return err
		}
		id, n := string(h[:4]), int64(binary.LittleEndian.Uint32(h[4:]))
		off += 8
		// A recorder that streams, or was killed, leaves a size of nothing or of
		// everything: then no further chunk can be found.
		cut := n > t.r.in.Size-off
		switch id {
		case "LIST", "bext", "iXML", "id3 ", "ID3 ":
			if id != "id3 " && id != "ID3 " {
				b, err := t.r.upTo(off, n)
				if err != nil {
					return err
				}
				err = t.wavChunk(id, b)
				if err != nil {
					return err
				}
			} else if _, err := t.id3(off); err != nil {
				return err
			}
			if cut {
				return errMalformed
			}
		}
		if cut {
			return nil
		}
		off += n + n&1
	}
	return nil
}

func (t *tags) wavChunk(id string, b []byte) error {
	switch {
	case id == "iXML":
		t.add("(wav).iXML", loose(b))
	case id == "bext": // EBU Tech 3285: fields of fixed width
		for _, f := range []struct {
			name   string
			at, to int
		}{{"description", 0, 256}, {"originator", 256, 288}, {"reference", 288, 320}} {
			if f.at < len(b) {
				t.add("(wav).bext."+f.name, loose(b[f.at:min(f.to, len(b))]))
			}
		}
		if len(b) > 602 { // after the fixed part: the coding history
			t.add("(wav).bext.history", loose(b[602:]))
		}
	case bytes.HasPrefix(b, []byte("INFO")):
		for b = b[4:]; len(b) >= 8; {
			if err := t.chunk(); err != nil {
				return err
			}
			n := int64(binary.LittleEndian.Uint32(b[4:]))
			name := key(b[:4])
			b = b[8:]
			if n > int64(len(b)) {
				t.add("(wav)."+name, loose(b))
				return errMalformed
			}
			t.add("(wav)."+name, loose(b[:n]))
			b = b[min(n+n&1, int64(len(b))):]
		}
	}
	return nil
}

// flac walks the metadata blocks of a FLAC file.
func (t *tags) flac(off int64) error {
	for {
		if err := t.chunk(); err != nil {
			return err
		}
		h, err := t.r.at(off, 4)
		if err != nil {
			return err
		}
		last, kind := h[0]&0x80 != 0, h[0]&0x7f
		n := int64(h[1])<<16 | int64(h[2])<<8 | int64(h[3])
		off += 4
		if kind == 4 {
			b, err := t.r.at(off, n)
			if err != nil {
				return err
			}
			if err := t.vorbis(b); err != nil {
				return err
			}
		}
		if off += n; last {
			return nil
		}
	}
}

// ogg puts together the packets of the first pages until the comments of each
// stream came. A stream's second packet holds them.
func (t *tags) ogg(off int64) error {
	type stream struct {
		packet  []byte
		packets int
	}
	streams := map[uint32]*stream{}
	open := 0 // streams whose comments have not come
	for off < t.r.in.Size {
		if err := t.chunk(); err != nil {
			return err
		}
		h, err := t.r.at(off, 27)
		if err != nil {
			return err
		}
		if string(h[:4]) != "OggS" {
			return errMalformed
		}
		first, serial, count := h[5]&2 != 0, binary.LittleEndian.Uint32(h[14:]), int64(h[26])
		if open == 0 && len(streams) > 0 && !first {
			return nil // all that began has told its comments
		}
		lacing, err := t.r.at(off+27, count)
		if err != nil {
			return err
		}
		lacing = bytes.Clone(lacing)
		off += 27 + count
		s := streams[serial]
		if s == nil {
			s = &stream{}
			streams[serial] = s
			open++
		}
		for _, n := range lacing {
			if s.packets < 2 {
				b, err := t.r.at(off, int64(n))
				if err != nil {
					return err
				}
				s.packet = append(s.packet, b...)
			}
			if off += int64(n); n == 255 || s.packets >= 2 {
				continue
			}
			if s.packets++; s.packets == 2 {
				open--
				for _, magic := range []string{"\x03vorbis", "OpusTags", "\x81theora"} {
					if b, ok := bytes.CutPrefix(s.packet, []byte(magic)); ok {
						if err := t.vorbis(b); err != nil {
							return err
						}
					}
				}
				if h := s.packet; len(h) > 4 && h[0]&0x7f == 4 { // FLAC in Ogg: a bare metadata block
					if err := t.vorbis(h[4:]); err != nil {
						return err
					}
				}
			}
			s.packet = s.packet[:0]
		}
	}
	return nil
}

// vorbis reads a list of comments "KEY=value".
func (t *tags) vorbis(b []byte) error {
	take := func() ([]byte, bool) {
		if len(b) < 4 {
			return nil, false
		}
		n := int64(binary.LittleEndian.Uint32(b))
		if n > int64(len(b)-4) {
			return nil, false
		}
		v := b[4 : 4+n]
		b = b[4+n:]
		return v, true
	}
	if _, ok := take(); !ok || len(b) < 4 { // who wrote it
		return errMalformed
	}
	count := binary.LittleEndian.Uint32(b)
	b = b[4:]
	for range count {
		if err := t.chunk(); err != nil {
			return err
		}
		v, ok := take()
		if !ok {
			return errMalformed
		}
		name, value, ok := bytes.Cut(v, []byte("="))
		if !ok {
			name, value = nil, v
		}
		t.add("(vorbis)."+strings.ToUpper(key(name)), loose(value))
	}
	return nil
}

// key is a name that can stand in a path: others are told as "?".
func key(b []byte) string {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f || c == '.' {
			return "?"
		}
	}
	if len(b) == 0 || len(b) > 64 {
		return "?"
	}
	return string(b)
}

// loose is text of no stated encoding, in UTF-8, without the padding at its end.
func loose(b []byte) []byte {
	b = bytes.TrimRight(b, "\x00 ")
	if utf8.Valid(b) {
		return bytes.Clone(b)
	}
	return latin1(b)
}

func latin1(b []byte) []byte {
	out := make([]byte, 0, len(b)+len(b)/8)
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}
