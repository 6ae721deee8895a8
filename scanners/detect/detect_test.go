package detect

import (
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	long := strings.Repeat("x", 2*HeadSize)
	for _, c := range []struct{ name, head, want string }{
		{"empty", "", Unknown},
		{"mark only", "\ufeff", Unknown},
		{"blank lines", "\n\n", Text},
		{"parquet", "PAR1\x15\x04", Parquet},
		{"parquet, encrypted footer", "PARE\x15\x04", Parquet},
		{"avro", "Obj\x01\x04\x14avro.codec", Avro},
		{"wav", "RIFF\x24\x08\x00\x00WAVEfmt ", Media},
		{"mp3 with id3", "ID3\x04\x00\x00\x00\x00\x00\x23TIT2", Media},
		{"mp3 without", "\xff\xfb\x90\x64\x00\x0f", Media},
		{"aac", "\xff\xf1\x50\x80", Media},
		{"ogg", "OggS\x00\x02\x00", Media},
		{"flac", "fLaC\x00\x00\x00\x22", Media},
		{"m4a", "\x00\x00\x00\x20ftypM4A \x00", Media},
		{"png", "\x89PNG\r\n\x1a\n\x00\x00", Media},
		{"jpeg", "\xff\xd8\xff\xe0\x00\x10JFIF", Media},
		{"pdf", "%PDF-1.7\n1 0 obj\n", Unknown},
		{"a column named ftype", "uid,ftype,phone\n1,2,3\n4,5,6\n", CSV},
		{"text that begins like flac", "fLaC is a codec,\nnot a word\n", Text},
		{"text that begins like riff", "RIFF raff\n", Text},
		{"utf-16", "\xff\xfe{\x00}\x00", Text},
		{"utf-16 without mark", "{\x00\"\x00a\x00\"\x00", Text},
		{"jsonl", "{\"a\":1}\n{\"a\":2}\n", JSONL},
		{"jsonl, one line", "{\"a\":1}\n", JSONL},
		{"jsonl, one line without end", `{"a":{"b":[1,2]}}`, JSONL},
		{"jsonl, mark and blank lines", "\ufeff\n\r\n  {\"a\":1}\r\n\r\n{\"a\":2}\r\n", JSONL},
		{"jsonl, second line broken", "{\"a\":1}\n{\"a\":\n", JSONL},
		{"jsonl, first line broken", "{\"a\":\n{\"a\":1}\n", JSONL},
		{"jsonl, first line garbage", "{oops\n{\"a\":1}\n", JSONL},
		{"jsonl, one line longer than the head", `{"a":"` + long + `"}`, JSONL},
		{"jsonl, second line longer than the head", "{\"a\":1}\n{\"a\":\"" + long + `"}`, JSONL},
		{"jsonl of arrays", "[1,\"a\"]\n[2,\"b\"]\n", JSONL},
		{"json array", `[{"a":1},{"a":2}]`, JSON},
		{"json array over lines", "[\n{\"a\":1},\n{\"a\":2}\n]\n", JSON},
		{"json array of one", `[{"a":1}]` + "\n", JSON},
		{"json array, empty", "[]", JSON},
		{"json array, longer than the head", `[{"a":1},{"a":"` + long + `"}]`, JSON},
		{"json array over lines, longer than the head", "[\n{\"a\":1},\n{\"a\":\"" + long + `"}]`, JSON},
		{"json, pretty", "{\n  \"calls\": [\n    {\"a\": 1}\n  ]\n}\n", JSON},
		{"json, pretty, longer than the head", "{\n  \"calls\": [\n    \"" + long + "\"]}", JSON},
		{"json array, broken", `[{"a":1},{"a":oops}]`, JSON},
		{"jsonl, one line broken", `{"a":oops}`, JSONL},
		{"csv", "id,name\n1,Jane\n2,Joe\n", CSV},
		{"csv, mark", "\ufeffid,name\r\n1,Jane\r\n", CSV},
		{"csv, leading blank lines", "\n\nid,name\n1,Jane\n", CSV},
		{"csv, header only", "id,start_time,caller\n", CSV},
		{"csv, header of two columns only", "phone,n\n", CSV},
		{"one row of numbers", "4045550123,1\n", Text},
		{"csv with a json cell", "id,props\n1,\"{\"\"a\"\":1,\"\"b\"\":2}\"\n2,\"{\"\"a\"\":2}\"\n", CSV},
		{"csv with a line end in a cell", "id,note\n1,\"two\nlines, really\"\n2,x\n", CSV},
		{"csv whose first cell is a json array", "[1],b\n[2],c\n", CSV},
		{"csv with semicolons", "id;name\n1;\"Doe, Jane\"\n", CSV},
		{"csv, longer than the head", "id,name\n1,Jane\n2," + long, CSV},
		{"tsv", "id\tname\n1\tDoe, Jane\n", TSV},
		{"tsv with empty cells", "a\t\t\tb\nc\t\t\td\n", TSV},
		{"tsv with json", "web\t{\"a\":1,\"b\":2}\t3\nweb\t{\"a\":1}\t4\n", TSV},
		{"prose", "Well, I called you.\nTwice, and nobody answered, ever.\n", Text},
		{"one sentence", "Well, yes, sure.\n", Text},
		{"captions", "WEBVTT\n\n00:00.000 --> 00:04.000\nHello\n", Text},
		{"log with brackets", "[info] started\n[info] done\n", Text},
		{"latin-1", "caf\xe9 au lait\nna\xefve\n", Text},
		{"utf-8 cut in a character", strings.Repeat("\u00e9", HeadSize), Text},
		{"binary", "\x00\x01\x02\x03\x04\x05\x06\x07binary", Unknown},
		{"noise", "\x93\xf8\x11\xc0\xaa\xfe\x80\x80\x91\xf0", Unknown},
	} {
		if got := Format([]byte(c.head)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What passes for text is what its name says; whatever else it is, the name has no say.
func TestNamed(t *testing.T) {
	for _, c := range []struct{ name, head, ext, want string }{
		{"one column", "user_id\n12345\n", ".csv", CSV},
		{"one column, no name", "user_id\n12345\n", "", Text},
		{"ragged rows", "id,user_id\n1,12345\n2,12345,more\n", ".csv", CSV},
		{"a quote that never ends", "id,note\n1,\"open\n2,x\n", ".csv", CSV},
		{"one column", "user_id\n12345\n", ".tsv", TSV},
		{"a comment first", "# of today\n{\"user_id\":12345}\n", ".jsonl", JSONL},
		{"a null first", "null\n{\"user_id\":12345}\n", ".json", JSONL},
		{"prose", "Well, I called you.\n", ".json", Text},
		{"a log", "# of today\n{\"user_id\":12345}\n", ".log", Text},
		{"json", "{\n \"a\": 1\n}\n", ".csv", JSON},
		{"tabs", "a\tb\n1\t2\n", ".csv", TSV},
		{"utf-16", "\xff\xfea\x00,\x00", ".csv", Text},
		{"nothing", "", ".csv", Unknown},
	} {
		if got := Named([]byte(c.head), c.ext); got != c.want {
			t.Errorf("%s (%s): %q, want %q", c.name, c.ext, got, c.want)
		}
	}
}

// FuzzFormat: any bytes have a format, and it does not depend on what follows the
// head.
func FuzzFormat(f *testing.F) {
	for _, s := range []string{"{\"a\":1}\n", "a,b\n1,2\n", "[1]", "\xff\xfe", "\"", "ID3", "{", "[\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := Format(b)
		switch got {
		case JSONL, JSON, CSV, TSV, Parquet, Avro, Text, Media, Unknown:
		default:
			t.Fatalf("format %q", got)
		}
		if len(b) == 0 {
			return
		}
		head := make([]byte, 0, HeadSize+8)
		for len(head) < HeadSize {
			head = append(head, b[:min(len(b), HeadSize-len(head))]...)
		}
		if Format(head) != Format(append(head, "more"...)) {
			t.Fatal("depends on what follows the head")
		}
	})
}
