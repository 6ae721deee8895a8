package identity

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"expunge/pipeline"
)

// TestEveryDigestIsSought: each digest of each writing of 20,000 identifiers has a token,
// which records that hold it have, too, however they are written.
func TestEveryDigestIsSought(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	c := &compiler{h: testKey.hasher()}
	c.t.h = c.h
	for i := range 20_000 {
		canon := Canon{Kind: pipeline.Email, Value: pipeline.Secret(fmt.Sprintf("p.%d@gmail.com", r.IntN(1e9)))}
		if i%2 == 0 {
			canon = Canon{Kind: pipeline.Phone, Value: pipeline.Secret(fmt.Sprintf("1404555%04d", r.IntN(1e4)))}
		}
		for of := range uint8(len(phoneWritings)) {
			w := writing(canon, of)
			if w == "" {
				continue
			}
			for alg := range uint8(len(algorithms)) {
				for enc := range uint8(encodings) {
					text := digestForm{of, alg, enc}.text(w)
					s, ok := c.trigger(text)
					if !ok {
						t.Fatalf("%s has no token", text)
					}
					if i%50 > 0 {
						continue
					}
					slashes := strings.ReplaceAll(text, "/", `\/`)
					for _, record := range []string{`{"hem":"` + text + `==","n":1}`, `{"hem":"` + slashes + `="}`, "1," + text + ",2", "hem=" + url.QueryEscape(text+"=") + "&b=1"} {
						if got, doubt := tokensOf([]byte(record)); !doubt && got[s.token].class != s.class {
							t.Fatalf("%s does not have the token of %s", record, text)
						}
					}
				}
			}
		}
	}
}

// TestDigestsWithoutPieces: digests are found by their whole text where no piece of it
// between signs is a word, and by a piece elsewhere.
func TestDigestsWithoutPieces(t *testing.T) {
	found := map[uint8]int{}
	for i := range 300 {
		address := fmt.Sprintf("jane.doe%d@example.com", i)
		f := Compile(testKey, "US", wanted(t, pipeline.Email, address)).Finder(FinderOptions{Search: true})
		for alg := range uint8(len(algorithms)) {
			for enc := range uint8(encodings) {
				d := digestForm{0, alg, enc}
				leaf := d.text(address)
				other := d.text("x" + address)
				ms := f.Find(nil, "v", []byte(leaf))
				if len(ms) != 1 || ms[0].Tier != string(pipeline.Hashed) || ms[0].Rule != d.rule(pipeline.Email) {
					t.Fatalf("%s of %s: %v", leaf, address, ms)
				}
				for name, raw := range encodingsOf(leaf) {
					if len(f.Probe(nil, []byte(raw))) == 0 {
						t.Fatalf("%s: %s is no candidate", name, raw)
					}
				}
				raw, _ := json.Marshal(other)
				if ms := f.Find(nil, "v", []byte(other)); len(ms) > 0 || len(f.Probe(nil, raw)) > 0 {
					t.Fatalf("%s is taken for a digest of %s", other, address)
				}
				found[enc]++
			}
		}
	}
	if len(found) != encodings {
		t.Errorf("%v", found)
	}
}
