package identity

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"expunge/pipeline"
)

// A digest is told from other values by its size and alphabet, whatever was hashed.
func TestDigested(t *testing.T) {
	sha, one, five := sha256.Sum256([]byte("x")), sha1.Sum([]byte("x")), md5.Sum([]byte("x"))
	fields := []pipeline.Field{{Path: "mail", Kind: pipeline.Email}, {Path: "ids[].phone", Kind: pipeline.Phone}, {Path: "note", Text: true}, {Path: "theirs", Kind: pipeline.Email, Party: pipeline.Agent}, {Path: "user", Kind: pipeline.User}}
	f := Compile(testKey, "US", nil).Finder(FinderOptions{Fields: fields, Search: true})
	for _, tt := range []struct{ path, value, form, sum string }{
		{"mail", hex.EncodeToString(sha[:]), "sha256 hex", hex.EncodeToString(sha[:])},
		{"ids[].phone", strings.ToUpper(hex.EncodeToString(one[:])) + " ", "sha1 hex", hex.EncodeToString(one[:])},
		{"mail", base64.StdEncoding.EncodeToString(sha[:]), "sha256 base64", hex.EncodeToString(sha[:])},
		{"mail", base64.RawURLEncoding.EncodeToString(five[:]), "md5 base64", hex.EncodeToString(five[:])},
		{"mail", "jane@example.com", "", ""},
		{"ids[].phone", "+14045550123", "", ""},
		{"mail", "abcdefghijklmnopqrstuv", "", ""}, // a word
		{"note", hex.EncodeToString(sha[:]), "", ""},
		{"theirs", hex.EncodeToString(sha[:]), "", ""},
		{"user", hex.EncodeToString(sha[:]), "", ""},
		{"undeclared", hex.EncodeToString(sha[:]), "", ""},
	} {
		got := f.Digested(nil, tt.path, []byte(tt.value))
		switch {
		case tt.form == "" && len(got) > 0, tt.form != "" && len(got) != 1:
			t.Errorf("%s %q: %v", tt.path, tt.value, got)
		case tt.form != "" && (got[0].Form != tt.form || got[0].Value != tt.sum || got[0].Field != tt.path):
			t.Errorf("%s %q: %+v", tt.path, tt.value, got[0])
		}
	}
}

// The digests of an identifier are those by which its needle is found.
func TestSums(t *testing.T) {
	for _, tt := range []struct {
		Canon
		region  string
		written int // in how many ways
	}{
		{Canon{Kind: pipeline.Phone, Value: "14045550123"}, "US", 3},
		{Canon{Kind: pipeline.Phone, Value: "442079460958"}, "GB", 4},
		{Canon{Kind: pipeline.Email, Value: "jane.doe+news@gmail.com"}, "US", 3},
		{Canon{Kind: pipeline.Email, Value: "jane@example.com"}, "US", 1},
	} {
		n := Needle{Account: "acme", Canon: tt.Canon}
		f := Compile(testKey, tt.region, []Needle{n}).Finder(FinderOptions{Search: true, Account: "acme"})
		sums := n.Canon.Sums()
		if len(sums) != tt.written*len(algorithms) {
			t.Errorf("%d digests of %d writings", len(sums), tt.written)
		}
		for _, sum := range sums {
			if ms := f.Find(nil, "x", []byte(sum)); len(ms) != 1 || ms[0].Tier != "hashed" {
				t.Errorf("%s is found as %v", sum, ms)
			}
		}
	}
	if sums := (Canon{Kind: pipeline.Email, Value: "jane@example.com"}).Digests()[0].Sums(); sums != nil {
		t.Errorf("of a digest: %v", sums)
	}
}
