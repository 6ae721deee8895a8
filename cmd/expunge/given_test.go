package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"expunge/testdata/lake"
)

// TestGivenDigests asks for the same consumers once by their numbers and addresses and
// once by the SHA-256 of these alone, while the catalog knows the lake: both find the same
// records, for manifest, bundles and review.
func TestGivenDigests(t *testing.T) {
	l, err := lake.Generate(lake.Options{Seed: 13, Bytes: 1 << 20, Accounts: 3, Requests: 12})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	place(t, l, dir)
	config := configure(t, l, dir, "work")
	const suffix = "-by-digest"
	var given bytes.Buffer
	hashed := map[string]int{}
	for _, r := range l.Requests() {
		r.ID += suffix
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		for _, x := range doc["identifiers"].([]any) {
			id := x.(map[string]any)
			if kind := id["kind"].(string); kind == "phone" || kind == "email" {
				sum := sha256.Sum256([]byte(strings.ToLower(id["value"].(string))))
				id["hash"], id["value"] = "sha256", hex.EncodeToString(sum[:])
				hashed[kind]++
			}
		}
		if b, err = json.Marshal(doc); err != nil {
			t.Fatal(err)
		}
		given.Write(append(b, '\n'))
	}
	if hashed["phone"] == 0 || hashed["email"] == 0 {
		t.Fatalf("requests give %v", hashed)
	}
	digests := filepath.Join(dir, "digests.jsonl")
	if err := os.WriteFile(digests, given.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(dir, "requests.jsonl"), digests} {
		if code := expunge(t, "submit", file, "-c", config); code != exitDone {
			t.Fatalf("submit: exit %d", code)
		}
		if code := expunge(t, "run", "-c", config); code != exitDone {
			t.Fatalf("run: exit %d", code)
		}
	}
	out := outputs(t, dir, "work")
	for what, all := range map[string][]found{"manifest": out.tombstones, "bundles": out.bundles, "review": out.review} {
		var byValue, byDigest []found
		for _, f := range all {
			var ok bool
			if f.Request, ok = strings.CutSuffix(f.Request, suffix); ok {
				byDigest = append(byDigest, f)
			} else {
				byValue = append(byValue, f)
			}
		}
		if len(byValue) == 0 {
			t.Errorf("%s: nothing is found", what)
		}
		compare(t, what, byDigest, byValue, nil)
	}
}
