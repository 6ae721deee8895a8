package walk

import (
	"encoding/json"
	"testing"
)

// What AppendQuoted writes is JSON, and reads as what encoding/json makes of the text.
func FuzzAppendQuoted(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c", "\x00\x1f\n\t", "José 😀", "\xff\xc3", "\u2028</script>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		b, err := json.Marshal(string(s))
		if err != nil {
			t.Fatal(err)
		}
		var got, want string
		if err := json.Unmarshal(AppendQuoted(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q reads as %q, want %q", s, got, want)
		}
	})
}
