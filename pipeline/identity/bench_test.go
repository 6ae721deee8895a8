package identity

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"expunge/pipeline"
)

// callLog is JSONL of the shape of call logs, about n bytes, always the same.
func callLog(n int) []byte {
	r := rand.New(rand.NewPCG(7, 8))
	var b bytes.Buffer
	for b.Len() < n {
		p, q, id := r.IntN(1e7), r.IntN(1e7), r.Uint64()
		fmt.Fprintf(&b, `{"id":"CAL%016x%016x","customer_phone_number":"+1404%07d","formatted_customer_phone_number":"404-%03d-%04d","customer_name":"Kaylah Mills","customer_city":"Atlanta","customer_state":"GA","tracking_phone_number":"+1214%07d","direction":"inbound","duration":%d,"answered":true,"first_call":false,"start_time":"2026-0%d-1%dT18:4%d:00.000-04:00","recording":"https://api.example.com/v3/a/227799611/calls/%d/recording.json","person_id":"PER%016x%016x","timeline_url":"https://app.example.com/analytics/a/728790660/events/PER1?event_id=CAL2\u0026event_type=call","landing_page_url":"https://www.example.com/offers?utm_source=google&utm_medium=cpc","note":"Caller asked about \"spring\" prices and wants a call back tomorrow, left no address","tags":["new","sales"],"session_uuid":"%08x-1b2c-4d3e-8f40-%012x","source":"Google Ads","lead_status":"good_lead","agent_email":"agent%d@example.org"}`+"\n",
			id, r.Uint64(), p, p/10000, p%10000, q, r.IntN(900), 1+r.IntN(9), r.IntN(9), r.IntN(9), r.IntN(1e9), id, r.Uint64(), uint32(id), r.Uint64()>>16, r.IntN(40))
	}
	return b.Bytes()
}

func manyNeedles(n int) []Needle {
	ns := make([]Needle, 0, 2*n)
	for i := range n {
		ns = append(ns,
			Needle{Account: "acme", Canon: Canon{Kind: pipeline.Phone, Value: pipeline.Secret(fmt.Sprintf("1505%07d", i*37%1e7))}},
			Needle{Account: "acme", Canon: Canon{Kind: pipeline.Email, Value: pipeline.Secret(fmt.Sprintf("p%d@example.net", i))}})
	}
	return ns
}

func BenchmarkProbe(b *testing.B) {
	raw := callLog(4 << 20)
	for _, n := range []int{1, 100, 10_000} {
		set := Compile(testKey, "US", manyNeedles(n))
		for _, collect := range []bool{false, true} {
			o := FinderOptions{Search: true}
			if collect {
				seen := uint64(0)
				o.Collect = func(token uint64) { seen ^= token }
			}
			b.Run(fmt.Sprintf("needles=%d/collect=%t", n, collect), func(b *testing.B) {
				f := set.Finder(o)
				var at []int
				b.SetBytes(int64(len(raw)))
				b.ReportAllocs()
				for b.Loop() {
					for k := 0; k < len(raw); {
						end := min(k+256<<10, len(raw))
						if j := bytes.IndexByte(raw[end-1:], '\n'); j >= 0 {
							end += j
						}
						at = f.Probe(at[:0], raw[k:end])
						k = end
					}
				}
				if len(at) > 0 {
					b.Fatal("hits where nothing is")
				}
			})
		}
	}
}

// BenchmarkGiven is the search for needles that are given as digests, beside that for the
// same ones in clear, whose bytes a second it must reach half of.
func BenchmarkGiven(b *testing.B) {
	raw := callLog(4 << 20)
	clear := manyNeedles(100)
	var given []Needle
	for _, n := range clear {
		given = append(given, Needle{Account: n.Account, Canon: n.Canon.Digests()[0]})
	}
	for name, needles := range map[string][]Needle{"clear": clear, "digests": given} {
		set := Compile(testKey, "US", needles)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			f := set.Finder(FinderOptions{Search: true, Collect: func(uint64) {}})
			var at []int
			for b.Loop() {
				for line := range bytes.Lines(raw) {
					at = f.Probe(at[:0], line)
				}
			}
			if len(at) > 0 {
				b.Fatal("hits where nothing is")
			}
		})
	}
}
