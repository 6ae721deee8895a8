package record

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// What isoTime reads, the layouts read as the same time.
func TestISOTime(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for range 50_000 {
		s := time.Unix(r.Int64N(4e9), r.Int64N(1e9)).UTC().Format([]string{
			"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04:05.000", "2006-01-02 15:04:05.999999999",
		}[r.IntN(4)]) + []string{"", "Z", "+05:30", "-04:00", "+24:00", "-00:00", "+0530", " UTC", "z"}[r.IntN(9)]
		if b := []byte(s); r.IntN(3) == 0 { // broken somewhere
			b[r.IntN(len(b))] = "0123456789-:.TZ +"[r.IntN(17)]
			s = string(b)
		}
		zone := []*time.Location{time.UTC, newYork}[r.IntN(2)]
		ms, ok := isoTime(s, zone)
		if !ok {
			continue
		}
		read++
		if want, ok := otherTime(s, zone); !ok || want != (Moment{ms, ms}) {
			t.Fatalf("%s in %s: %d, the layouts say %v, %v", s, zone, ms, want, ok)
		}
	}
	if read < 15_000 {
		t.Fatalf("only %d were read: the test says little", read)
	}
	for _, s := range []string{"2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01", "", "2026-01-01T00:00:00.Z"} {
		if _, ok := isoTime(s, time.UTC); ok {
			t.Errorf("%s is read", s)
		}
	}
}

func BenchmarkParseTime(b *testing.B) {
	for _, s := range []string{"2026-11-20T09:00:00.123-05:00", "2026-11-30 09:00:00", "1763629200", "Fri, 20 Nov 2026 09:00:00 +0000"} {
		b.Run(fmt.Sprint(len(s)), func(b *testing.B) {
			for b.Loop() {
				if _, ok := ParseTime(s, nil); !ok {
					b.Fatal("not read")
				}
			}
		})
	}
}
