// Package detect tells an object's format from its first bytes. It guesses. Where
// it doubts, it asks the object's name, and errs towards "text", whose scanner searches
// all bytes; but what begins like broken JSON stays JSON, to be refused by its scanner:
// as text, a line that holds many people's records would pass for one record.
package detect

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"
)

// HeadSize is how many bytes Format looks at.
const HeadSize = 64 << 10

// Formats, as the config names them. Unknown is also that of an empty object.
const (
	JSONL   = "jsonl"
	JSON    = "json"
	CSV     = "csv"
	TSV     = "tsv"
	Parquet = "parquet"
	Avro    = "avro"
	Text    = "text"
	Media   = "media"
	Unknown = ""
)

// Format names the format of an object whose decompressed bytes begin with head.
// It is Unknown for an empty object and for binary data that it does not know.
func Format(head []byte) string {
	whole := len(head) < HeadSize // an end of head is an end of the object
	head = head[:min(len(head), HeadSize)]
	switch {
	case bytes.HasPrefix(head, []byte("PAR1")), bytes.HasPrefix(head, []byte("PARE")):
		return Parquet
	case bytes.HasPrefix(head, []byte("Obj\x01")):
		return Avro
	case media(head):
		return Media
	case wide(head):
		return Text // its scanner refuses UTF-16 by name
	}
	text := bytes.TrimPrefix(head, []byte("\ufeff"))
	if binary(text) || bytes.HasPrefix(text, []byte("%PDF-")) {
		return Unknown
	}
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	if len(trimmed) == 0 {
		if len(text) == 0 {
			return Unknown
		}
		return Text
	}
	if trimmed[0] == '{' || trimmed[0] == '[' {
		if f := jsonFormat(trimmed, whole); f != Unknown {
			return f
		}
	}
	if f := table(text, whole); f != Unknown {
		return f
	}
	return Text
}

// Named is Format where the object's extension (".csv") has a say, too: over what
// passes for text otherwise. As text, no field of a table is a declared one, and a line
// of it may be part of a row.
func Named(head []byte, ext string) string {
	f := Format(head)
	if f != Text || wide(head) {
		return f
	}
	switch ext {
	case ".csv":
		return CSV
	case ".tsv":
		return TSV
	case ".jsonl", ".ndjson":
		return JSONL
	case ".json":
		if lineOfJSON(bytes.TrimPrefix(head, []byte("\ufeff"))) {
			return JSONL
		}
	}
	return f
}

// media reports whether head begins as a container of sound, pictures or video. A
// PDF is none: it holds text that nobody here reads, and only a dataset may say that
// it is to be found by its name.
func media(head []byte) bool {
	for _, magic := range []string{
		"RIFF", "RIFX", "RF64", "FORM", "ID3", "OggS", "fLaC", "\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "GIF87a", "GIF89a",
		"\x1a\x45\xdf\xa3", "#!AMR", ".snd", "II*\x00", "MM\x00*", "\x00\x00\x01\xba", "\x00\x00\x01\xb3", "caff", "wvpk", "FLV\x01",
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			// Words that text may begin with need more: a NUL, as in every length of 32 bits.
			if ascii(magic) && magic != "#!AMR" && !bytes.Contains(head[:min(len(head), 512)], []byte{0}) {
				continue
			}
			return true
		}
	}
	if len(head) >= 12 && head[0] == 0 && string(head[4:8]) == "ftyp" { // the length of that box, and not "uid,ftype,phone"
		return true
	}
	// MPEG audio: a frame's sync, with a layer, bit rate and sample rate that exist.
	// UTF-16 begins with FF FE, which names layer 2 of a version that is hardly used.
	return len(head) >= 4 && head[0] == 0xff && head[1]&0xe0 == 0xe0 && head[1] != 0xfe &&
		head[1]>>3&3 != 1 && head[1]>>1&3 != 0 && head[2]>>4 != 15 && head[2]>>4 != 0 && head[2]>>2&3 != 3 ||
		len(head) >= 4 && head[0] == 0xff && (head[1] == 0xf1 || head[1] == 0xf9) // AAC
}

func ascii(s string) bool {
	for _, c := range []byte(s) {
		if c >= 0x80 || c < ' ' {
			return false
		}
	}
	return true
}

// wide reports whether head begins with a byte order mark of UTF-16 or UTF-32, or
// is ASCII with a NUL beside every character.
func wide(head []byte) bool {
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) || bytes.HasPrefix(head, []byte("\x00\x00\xfe\xff")) {
		return true
	}
	n := min(len(head), 256) &^ 1
	if n < 4 {
		return false
	}
	var nul, print [2]int
	for i, c := range head[:n] {
		if c == 0 {
			nul[i&1]++
		} else if c >= ' ' && c < 0x7f || c == '\n' || c == '\r' || c == '\t' {
			print[i&1]++
		}
	}
	return nul[0] == n/2 && print[1] == n/2 || nul[1] == n/2 && print[0] == n/2
}

// binary reports whether b is no text: control characters beyond a few, or mostly
// bytes that are no UTF-8. (Old exports are in Latin-1: some such bytes are text.)
func binary(b []byte) bool {
	control, invalid := 0, 0
	for i := 0; i < len(b); {
		if c := b[i]; c < utf8.RuneSelf {
			if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1b || c == 0x7f {
				control++
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 && utf8.FullRune(b[i:]) {
			invalid++
		}
		i += n
	}
	return 50*control > len(b) || 10*invalid > 3*len(b)
}

// jsonFormat tells JSON lines, an array and a single document apart. b begins with
// a brace or a bracket.
func jsonFormat(b []byte, whole bool) string {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var first json.RawMessage
	err := d.Decode(&first)
	switch {
	case err == io.ErrUnexpectedEOF || err == io.EOF:
		// The first value is longer than head, or cut short.
		line, _, ended := bytes.Cut(b, []byte("\n"))
		if !ended {
			if b[0] == '{' && !whole {
				return JSONL // one very long line so far; its scanner reads one object, too
			}
			return JSON
		}
		if b[0] == '{' && (json.Valid(line) || whole && lineOfJSON(b)) {
			return JSONL
		}
		return JSON
	case err != nil:
		return broken(b)
	}
	pretty := bytes.ContainsAny(first, "\n")
	_, err = d.Token()
	switch {
	case err == io.EOF && whole: // one value
		if b[0] == '{' && !pretty {
			return JSONL
		}
		return JSON
	case b[0] == '[':
		// Lines of arrays, or an array with something after it.
		if !pretty && err == nil {
			return JSONL
		}
		if err != nil && table(b, whole) != Unknown {
			return Unknown // a table whose first cell is a list
		}
		return JSON
	case pretty:
		return JSON // objects one after another, over several lines
	}
	return JSONL
}

// broken tells what an invalid beginning is meant to be. "[info] started" is no
// JSON at all.
func broken(b []byte) string {
	compact := bytes.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, b[:min(len(b), 256)])
	switch {
	case lineOfJSON(b), bytes.HasPrefix(compact, []byte(`{"`)):
		return JSONL
	case bytes.HasPrefix(compact, []byte(`[{`)), bytes.HasPrefix(compact, []byte(`["`)):
		return JSON
	}
	return Unknown
}

// lineOfJSON reports whether one of the first lines of b is an object.
func lineOfJSON(b []byte) bool {
	for range 20 {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		line = bytes.TrimSpace(line)
		if len(line) > 1 && line[0] == '{' && json.Valid(line) {
			return true
		}
		if !ended {
			return false
		}
		b = rest
	}
	return false
}
