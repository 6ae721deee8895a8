package media

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"expunge/scanners"
	"expunge/scanners/scantest"
)

func le32(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }
func be32(n int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }

func safe32(n int) string {
	return string([]byte{byte(n >> 21 & 127), byte(n >> 14 & 127), byte(n >> 7 & 127), byte(n & 127)})
}

func riffChunk(id, body string) string {
	return id + le32(len(body)) + body + strings.Repeat("\x00", len(body)&1)
}

func riff(chunks ...string) string {
	body := "WAVE" + strings.Join(chunks, "")
	return "RIFF" + le32(len(body)) + body
}

func frame(version int, id, body string) string {
	switch version {
	case 2:
		return id + be32(len(body))[1:] + body
	case 3:
		return id + be32(len(body)) + "\x00\x00" + body
	}
	return id + safe32(len(body)) + "\x00\x00" + body
}

func id3(version, flags int, frames ...string) string {
	body := strings.Join(frames, "") + strings.Repeat("\x00", 32)
	return "ID3" + string([]byte{byte(version), 0, byte(flags)}) + safe32(len(body)) + body
}

func wideText(order binary.AppendByteOrder, s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func comments(all ...string) string {
	s := le32(4) + "test" + le32(len(all))
	for _, c := range all {
		s += le32(len(c)) + c
	}
	return s
}

// page is an Ogg page of packets that end in it; more: the last one goes on.
func page(serial, flags int, more bool, packets ...string) string {
	var lacing []byte
	for i, p := range packets {
		n := len(p)
		for ; n >= 255; n -= 255 {
			lacing = append(lacing, 255)
		}
		if !more || i < len(packets)-1 {
			lacing = append(lacing, byte(n))
		}
	}
	return "OggS\x00" + string([]byte{byte(flags)}) + strings.Repeat("\x00", 8) + le32(serial) + le32(0) + le32(0) +
		string([]byte{byte(len(lacing))}) + string(lacing) + strings.Join(packets, "")
}

func file(name, data string, leaves ...scantest.Leaf) scantest.File {
	return scantest.File{Name: name, Data: []byte(data), Whole: true, Literals: []string{"+1404555", "example.com"},
		Records: []scantest.Record{{Offset: -1, Length: -1, Leaves: leaves}}}
}

func files() []scantest.File {
	audio := strings.Repeat("\x01\xfe\x7f\x80", 30_000)
	format := riffChunk("fmt ", "\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00")
	leaf := func(path, value string) scantest.Leaf { return scantest.Leaf{Path: path, Value: value} }
	long := "long one " + strings.Repeat("x", 600)
	return []scantest.File{
		file("empty", ""),
		file("unknown", "\x00\x01\x02 whatever this is +14045550123"),
		file("wav", riff(format, riffChunk("data", audio), riffChunk("LIST", "INFO"+riffChunk("INAM", "Call of +14045550123\x00")+riffChunk("ICMT", "caf\xe9"))),
			leaf("(wav).INAM", "Call of +14045550123"), leaf("(wav).ICMT", "caf\u00e9")),
		file("wav, odd chunks", riff(riffChunk("LIST", "INFO"+riffChunk("IART", "abc")+riffChunk("INAM", "jane@example.com")), format, riffChunk("junk", "abc"), riffChunk("bext", "for +14045550124"+strings.Repeat("\x00", 240)+"recorder 7"), riffChunk("iXML", "<x>agent nine</x>")),
			leaf("(wav).IART", "abc"), leaf("(wav).INAM", "jane@example.com"), leaf("(wav).bext.description", "for +14045550124"), leaf("(wav).bext.originator", "recorder 7"), leaf("(wav).iXML", "<x>agent nine</x>")),
		file("wav, id3 inside", riff(format, riffChunk("id3 ", id3(3, 0, frame(3, "TPE1", "\x03Jane Doe")))), leaf("(id3).TPE1", "Jane Doe")),
		file("wav, streamed", "RIFF\xff\xff\xff\xffWAVE"+riffChunk("LIST", "INFO"+riffChunk("INAM", "Jane Doe"))+"data\xff\xff\xff\xff"+audio, leaf("(wav).INAM", "Jane Doe")),
		file("id3v2.2", id3(2, 0, frame(2, "TT2", "\x00+14045550123"), frame(2, "COM", "\x00engabout\x00a comment")), leaf("(id3).TT2", "+14045550123"), leaf("(id3).COM.description", "about"), leaf("(id3).COM", "a comment")),
		file("id3v2.3", id3(3, 0, frame(3, "TIT2", "\x01\xff\xfe"+wideText(binary.LittleEndian, "Jos\u00e9 +14045550123")), frame(3, "APIC", audio[:20_000]),
			frame(3, "COMM", "\x01eng\xff\xfe\x00\x00\xff\xfe"+wideText(binary.LittleEndian, "jane@example.com")), frame(3, "TXXX", "\x03caller\x00+14045550124"), frame(3, "WOAF", "https://example.com/r/1"))+audio,
			leaf("(id3).TIT2", "Jos\u00e9 +14045550123"), leaf("(id3).COMM", "jane@example.com"), leaf("(id3).TXXX.description", "caller"), leaf("(id3).TXXX", "+14045550124"), leaf("(id3).WOAF", "https://example.com/r/1")),
		file("id3v2.3, unsynchronised", id3(3, 0x80, frame(3, "TIT2", "\x01\xff\xfe"+wideText(binary.LittleEndian, "Jane"))[:12]+"\x00"+("\xfe"+wideText(binary.LittleEndian, "Jane"))), leaf("(id3).TIT2", "Jane")),
		file("id3v2.4", id3(4, 0, frame(4, "TPE1", "\x03Jane Doe\x00Joe Doe"), frame(4, "TALB", "\x02"+wideText(binary.BigEndian, "+14045550123")), frame(4, "TCOM", "\x00caf\xe9"))+audio,
			leaf("(id3).TPE1", "Jane Doe"), leaf("(id3).TPE1", "Joe Doe"), leaf("(id3).TALB", "+14045550123"), leaf("(id3).TCOM", "caf\u00e9")),
		file("id3v1", "\xff\xfb\x90\x64"+audio+"TAG"+pad("+14045550123", 30)+pad("Jane Doe", 30)+pad("", 30)+"2024"+pad("a comment", 30)+"\x00",
			leaf("(id3v1).title", "+14045550123"), leaf("(id3v1).artist", "Jane Doe"), leaf("(id3v1).year", "2024"), leaf("(id3v1).comment", "a comment")),
		file("flac", "fLaC\x00\x00\x00\x22"+strings.Repeat("\x00", 34)+"\x84"+be32(len(comments("title=+14045550123", "ARTIST=Jane Doe", "no key")))[1:]+comments("title=+14045550123", "ARTIST=Jane Doe", "no key")+audio,
			leaf("(vorbis).TITLE", "+14045550123"), leaf("(vorbis).ARTIST", "Jane Doe"), leaf("(vorbis).?", "no key")),
		file("ogg", page(1, 2, false, "\x01vorbis...")+page(1, 0, true, ("\x03vorbis" + comments("TITLE="+long, "ARTIST=Jane Doe"))[:510])+
			page(1, 1, false, ("\x03vorbis" + comments("TITLE="+long, "ARTIST=Jane Doe"))[510:], "\x05vorbis setup")+page(1, 0, false, audio[:1000]),
			leaf("(vorbis).TITLE", long), leaf("(vorbis).ARTIST", "Jane Doe")),
		file("opus, two streams", page(1, 2, false, "OpusHead")+page(2, 2, false, "OpusHead")+page(1, 0, false, "OpusTags"+comments("TITLE=+14045550123"))+page(2, 0, false, "OpusTags"+comments("TITLE=+14045550124")),
			leaf("(vorbis).TITLE", "+14045550123"), leaf("(vorbis).TITLE", "+14045550124")),
	}
}

func box(kind string, content ...string) string {
	body := strings.Join(content, "")
	return be32(len(body)+8) + kind + body
}

// item is an entry of an iTunes list.
func item(kind string, typ int, value string) string {
	return box(kind, box("data", be32(typ), be32(0), value))
}

func wideBox(kind, body string) string {
	return be32(1) + kind + be32(0) + be32(len(body)+16) + body
}

func mp4Files() []scantest.File {
	leaf := func(path, value string) scantest.Leaf { return scantest.Leaf{Path: path, Value: value} }
	sound := strings.Repeat("\x01\xfe\x7f\x80", 30_000)
	ftyp := box("ftyp", "M4A ", be32(0), "M4A mp42")
	list := func(items ...string) string {
		return box("udta", box("meta", be32(0), box("hdlr", be32(0), be32(0), "mdirappl", strings.Repeat("\x00", 9)), box("ilst", items...)))
	}
	named := box("----", box("mean", be32(0), "com.example"), box("name", be32(0), "caller"), box("data", be32(1), be32(0), "jane@example.com"))
	return []scantest.File{
		file("m4a", ftyp+box("mdat", sound)+box("moov", box("mvhd", strings.Repeat("\x00", 100)), list(item("\xa9nam", 1, "Call of +14045550123"), item("\xa9ART", 2, wideText(binary.BigEndian, "Jos\u00e9")),
			item("covr", 13, sound[:2000]), named, item("tmpo", 21, "\x00\x78"), item("trkn", 0, "\x00\x00\x00\x01"), item("desc", 0, "a text"))),
			leaf("(mp4).\u00a9nam", "Call of +14045550123"), leaf("(mp4).\u00a9ART", "Jos\u00e9"), leaf("(mp4).caller", "jane@example.com"), leaf("(mp4).tmpo", "120"), leaf("(mp4).desc", "a text")),
		file("m4a, moov first, wide mdat", ftyp+box("moov", list(item("\xa9cmt", 1, "to +14045550124")))+box("free")+wideBox("mdat", sound), leaf("(mp4).\u00a9cmt", "to +14045550124")),
		file("m4a, mdat to the end", ftyp+box("moov", list(item("\xa9cmt", 1, "to +14045550124")))+be32(0)+"mdat"+sound, leaf("(mp4).\u00a9cmt", "to +14045550124")),
		file("m4a, cut in its sound", ftyp+box("moov", list(item("\xa9nam", 1, "Jane Doe")))+be32(1<<30)+"mdat"+sound, leaf("(mp4).\u00a9nam", "Jane Doe")),
		file("3gp", box("ftyp", "3gp4", be32(0))+box("moov", box("trak", box("udta", box("name", "Jane's track"))), box("udta", box("titl", be32(0), "\x15\xc7", "Jane Doe\x00"), box("perf", be32(0), "\x15\xc7\xfe\xff", wideText(binary.BigEndian, "Jo\u00eb"), "\x00\x00"),
			box("loci", be32(0), "\x15\xc7", "Main Street 5\x00", "\x01\x00\x01\x02", "\x00earth\x00by jane@example.com\x00"), box("yrrc", be32(0), "\x07\xd8"))),
			leaf("(mp4).name", "Jane's track"), leaf("(mp4).titl", "Jane Doe"), leaf("(mp4).perf", "Jo\u00eb"), leaf("(mp4).loci", "Main Street 5"), leaf("(mp4).loci", "earth"), leaf("(mp4).loci", "by jane@example.com")),
		file("quicktime", box("wide")+box("mdat", sound)+box("moov", box("udta", box("\xa9nam", "\x00\x08\x15\xc7Jane Doe"), box("\xa9inf", "\x00\x05\x00\x00hello\x00\x03\x15\xc7two"), be32(0)),
			box("meta", box("hdlr", be32(0), be32(0), "mdta", strings.Repeat("\x00", 13)), box("keys", be32(0), be32(2), box("mdta", "com.apple.quicktime.author"), box("mdta", "com.apple.quicktime.location.name")),
				box("ilst", box(be32(1), box("data", be32(1), be32(0), "Jane Doe")), box(be32(2), box("data", be32(1), be32(0), "Springfield")), box(be32(9), box("data", be32(1), be32(0), "nine"))))),
			leaf("(mp4).\u00a9nam", "Jane Doe"), leaf("(mp4).\u00a9inf", "hello"), leaf("(mp4).\u00a9inf", "two"), leaf("(mp4).author", "Jane Doe"), leaf("(mp4).name", "Springfield"), leaf("(mp4).?", "nine")),
		file("xmp", ftyp+box("uuid", "\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac", "<x>jane@example.com</x>")+box("uuid", strings.Repeat("u", 16), "something else")+
			box("moov", box("udta", box("XMP_", "<y>+14045550123</y>"))), leaf("(mp4).xmp", "<x>jane@example.com</x>"), leaf("(mp4).xmp", "<y>+14045550123</y>")),
	}
}

func pad(s string, n int) string { return s + strings.Repeat("\x00", n-len(s)) }

func TestLaws(t *testing.T) { scantest.Run(t, Scanner{}, append(files(), mp4Files()...)) }

func input(data string, read *int64) scanners.Input {
	return scanners.Input{Name: "o", Size: int64(len(data)), Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
		*read += n
		return io.NopCloser(strings.NewReader(data[off : off+n])), nil
	}}
}

func scan(in scanners.Input, literals ...string) (stats scanners.Stats, doc string, err error) {
	stats, err = Scanner{}.Scan(context.Background(), in, &scantest.Finder{Literals: literals}, func(r *scanners.Record) error {
		doc += string(r.Doc)
		return nil
	})
	return stats, doc, err
}

// The audio is not read, and the document says what was found, in order.
func TestDoc(t *testing.T) {
	data := riff(riffChunk("data", strings.Repeat("\x01\xfe", 8<<20)), riffChunk("LIST", "INFO"+riffChunk("INAM", "<Jane>")+riffChunk("IART", "a")+riffChunk("INAM", "Joe")))
	var read int64
	_, doc, err := scan(input(data, &read), "Jane")
	if want := `{"metadata":{"(wav).INAM":["<Jane>","Joe"],"(wav).IART":"a"}}`; err != nil || doc != want {
		t.Fatalf("%s, %v", doc, err)
	}
	if read > 4*readAhead {
		t.Fatalf("%d bytes read", read)
	}
}

// Boxes with sound between them are stepped over one by one.
func TestMP4Reads(t *testing.T) {
	tagged := box("moov", box("udta", box("meta", be32(0), box("ilst", item("\xa9nam", 1, "Jane Doe")))))
	sound := box("mdat", strings.Repeat("\x01\xfe", 40<<10))
	for name, data := range map[string]string{
		"one":       box("ftyp", "M4A ") + box("mdat", strings.Repeat("\x01\xfe", 8<<20)) + tagged,
		"fragments": box("ftyp", "M4A ") + strings.Repeat(box("moof", box("mfhd", be32(0)))+sound, 200) + tagged,
	} {
		var read int64
		_, doc, err := scan(input(data, &read), "Jane")
		if err != nil || doc != "{\"metadata\":{\"(mp4).\u00a9nam\":\"Jane Doe\"}}" {
			t.Errorf("%s: %q, %v", name, doc, err)
		}
		if read > 8*readAhead {
			t.Errorf("%s: %d bytes read", name, read)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name, data string
		code       scanners.Code
	}{
		{"gzip", "\x1f\x8b\x08\x00 and so on", scanners.Unsupported},
		{"encrypted frame", id3(4, 0, "TIT2"+safe32(5)+"\x00\x04\x03Jane"), scanners.Unsupported},
		{"huge info", riff(riffChunk("LIST", "INFO"+riffChunk("INAM", strings.Repeat("x", MaxMetadata)))), scanners.TooLarge},
		{"huge item", box("ftyp", "M4A ") + box("moov", box("udta", box("meta", be32(0), box("ilst", item("\xa9nam", 1, strings.Repeat("x", MaxMetadata)))))), scanners.TooLarge},
		{"many boxes", box("ftyp", "M4A ") + strings.Repeat(box("free"), maxChunks+1), scanners.TooLarge},
		{"many chunks", riff(strings.Repeat(riffChunk("junk", ""), maxChunks+1)), scanners.TooLarge},
	} {
		var read int64
		_, _, err := scan(input(c.data, &read))
		if ref := (*scanners.Refusal)(nil); !errors.As(err, &ref) || ref.Code != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
}

// What is malformed is counted, and searched as far as it was read.
func TestMalformed(t *testing.T) {
	for _, data := range []string{
		"RIFF\x00\x00\x00\x00WAVELIST\xff\x00\x00\x00INFOINAM\xff\x00\x00\x00Jane",
		"RIFF\x00\x00\x00\x00WAVELIST\x1a\x00\x00\x00INFOINAM\x04\x00\x00\x00JaneIART\xff\x00\x00\x00x",
		"fLaC\x04" + be32(1000)[1:], box("ftyp", "M4A ") + be32(4) + "moov", box("ftyp", "M4A ") + be32(1) + "moov" + be32(0), box("moov", be32(1000)+"udta"),
		strings.Repeat(be32(1<<20)+"moov", 40), box("ftyp", "M4A ") + box("moov", box("udta", box("meta", be32(0), box("keys", be32(0), be32(1), be32(99)+"mdta")))), "OggS", "ID3\x03\x00\x00\x7f\x7f\x7f\x7f", id3(3, 0, "TIT2\xff\xff\xff\xff\x00\x00Jane"),
	} {
		var read int64
		stats, doc, err := scan(input(data, &read), "Jane")
		if err != nil || stats.Records != 1 || stats.Malformed != 1 {
			t.Errorf("%q: %+v, %v", data, stats, err)
		}
		if found := strings.Contains(doc, "Jane"); found != strings.HasPrefix(data, "RIFF") {
			t.Errorf("%q: found %q", data, doc)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, x := range append(files(), mp4Files()...) {
		f.Add(x.Data[:min(len(x.Data), 4096)])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var read int64
		_, _, err := scan(input(string(bytes.Clone(data)), &read), "a")
		if ref := (*scanners.Refusal)(nil); err != nil && (!errors.As(err, &ref) || ref.Code == scanners.Crashed) {
			t.Fatal(err)
		}
	})
}

// What another scanner reads is refused, and never passed over as an object without metadata.
func TestNotMedia(t *testing.T) {
	for name, content := range map[string]string{
		"JSON": `{"phone":"404-555-0123"}`, "CSV": "id,phone\n1,404-555-0123\n2,404-555-0124\n", "text": "call 404-555-0123 back", "captions": "WEBVTT\n\n1\n00:00.000 --> 00:01.000\n404-555-0123\n",
		"Parquet": "PAR1\x15\x00\x15\x00", "Avro": "Obj\x01\x04",
	} {
		_, _, err := scan(input(content, new(int64)))
		if ref := (*scanners.Refusal)(nil); !errors.As(err, &ref) || ref.Code != scanners.Unsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, content := range map[string]string{"nothing": "", "raw sound": "\x00\x01\xfe\xff\x03\x80\x7f\x00", "a picture": "\x89PNG\r\n\x1a\n", "a PDF": "%PDF-1.7\n"} {
		if stats, _, err := scan(input(content, new(int64))); err != nil || stats.Records != 1 {
			t.Errorf("%s: %+v, %v", name, stats, err)
		}
	}
}
