package pool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/scanners"
)

func phone(n int) identity.Canon {
	return identity.Canon{Kind: pipeline.Phone, Value: pipeline.Secret(fmt.Sprintf("140455501%02d", n))}
}

func rec(leaves ...string) *scanners.Record {
	r := &scanners.Record{Index: 7}
	for i := 0; i < len(leaves); i += 2 {
		r.Leaves = append(r.Leaves, scanners.Leaf{Path: leaves[i], Value: []byte(leaves[i+1])})
	}
	return r
}

var listing = &pipeline.Dataset{Business: &pipeline.Numbers{Field: "number", From: "from", To: "to"}}

// TestPool compares a pool with a plain list of what was added.
func TestPool(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	zone := time.FixedZone("", -5*3600)
	d := *listing
	d.Zone = zone
	type row struct {
		account  string
		n        int
		from, to int // days of 2026; 0: none
	}
	for range 50 {
		var rows []row
		p := &Pool{max: 400}
		for range rng.IntN(150) {
			w := row{[]string{"acme", "globex"}[rng.IntN(2)], rng.IntN(10), rng.IntN(4) * 10, rng.IntN(4) * 20}
			rows = append(rows, w)
			leaves := []string{"number", fmt.Sprintf("(404) 555-01%02d", w.n), "note", "+14045550199", "number", "12345"}
			if w.from > 0 {
				leaves = append(leaves, "from", time.Date(2026, 1, w.from, 0, 0, 0, 0, zone).Format(time.DateOnly))
			} else {
				leaves = append(leaves, "from", " ")
			}
			if w.to > 0 {
				leaves = append(leaves, "to", time.Date(2026, 1, w.to, 12, 0, 0, 0, zone).Format(time.RFC3339))
			}
			for range 1 + rng.IntN(3) { // listed once more it is no other
				if err := p.Add(w.account, rec(leaves...), &d, "US"); err != nil {
					t.Fatal(err)
				}
			}
		}
		p.Done()
		for _, account := range []string{"acme", "globex"} {
			for n := range 10 {
				if email := (identity.Canon{Kind: pipeline.Email, Value: phone(n).Value}); p.At(account, email, 0) {
					t.Fatal("an address is a number")
				}
				always := slices.ContainsFunc(rows, func(w row) bool { return w.account == account && w.n == n && w.from == 0 && w.to == 0 })
				if got := p.At(account, phone(n), pipeline.NoTime); got != always {
					t.Fatalf("undated: %v, want %v", got, always)
				}
				for _, d := range phone(n).Digests() {
					if got, want := p.Periods(account, d), p.Periods(account, phone(n)); !slices.Equal(got, want) {
						t.Fatalf("by its digest: %v, want %v", got, want)
					}
				}
				for hour := range 24 * 70 {
					at := time.Date(2026, 1, 1, hour, 0, 0, 0, zone)
					want := slices.ContainsFunc(rows, func(w row) bool {
						return w.account == account && w.n == n && (w.from == 0 || !at.Before(time.Date(2026, 1, w.from, 0, 0, 0, 0, zone))) &&
							(w.to == 0 || !at.After(time.Date(2026, 1, w.to, 12, 0, 0, 0, zone)))
					})
					if got := p.At(account, phone(n), at.UnixMilli()); got != want {
						t.Fatalf("%s %d at %s: %v, want %v", account, n, at, got, want)
					}
				}
			}
		}
	}
	if p := new(Pool); p.At("acme", phone(1), 0) || p.Periods("acme", phone(1)) != nil {
		t.Error("an empty pool has numbers")
	}
}

// A day is all of it, to its last millisecond.
func TestLastDay(t *testing.T) {
	p := new(Pool)
	if err := p.Add("acme", rec("number", "+14045550101", "to", "2026-05-31"), listing, "US"); err != nil {
		t.Fatal(err)
	}
	p.Done()
	end := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	if !p.At("acme", phone(1), end-1) || p.At("acme", phone(1), end) {
		t.Error("it does not end with the day")
	}
}

func TestAddRefuses(t *testing.T) {
	p := &Pool{max: 8}
	if err := p.Add("acme", rec("number", "+14045550101", "to", "soon"), listing, "US"); !errors.Is(err, ErrTime) || err.Error() != "record 7: its to is no time that is read" {
		t.Error(err)
	}
	var err error
	for n := range 20 {
		if err = p.Add("acme", rec("number", fmt.Sprintf("+140455501%02d", n)), listing, "US"); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrMany) {
		t.Errorf("twenty fit where eight do: %v", err)
	}
}
