package closure

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/seal"
)

var consumer = pipeline.RequestRef{Account: "acme", ID: "R-1"}

func digest(account string, l pipeline.Link) string {
	return account + "/" + string(l.Kind) + "/" + l.Value
}

func hit(ref pipeline.RequestRef, hops int, links ...string) *pipeline.Hit {
	h := &pipeline.Hit{Request: ref, Tier: pipeline.Linked, Why: []pipeline.Evidence{{Kind: pipeline.Phone, Tier: pipeline.Linked, Hops: hops}}}
	for _, l := range links {
		h.Links = append(h.Links, pipeline.Link{Kind: pipeline.Call, Value: l})
	}
	return h
}

// seen are the values that a round looks for, with the hops to them.
func seen(c *Closure) map[string]int {
	out := map[string]int{}
	needles, asks := c.Round()
	for i, n := range needles {
		for _, a := range asks[i] {
			out[a.Request.String()+" "+n.Canon.Value.Reveal()] = a.Hops
		}
	}
	return out
}

// TestWalk follows links until nothing is new: once each, by the fewest hops, and
// never from one account to another.
func TestWalk(t *testing.T) {
	c := New(options(8, 100))
	other := pipeline.RequestRef{Account: "beta", ID: "R-1"}
	for _, ref := range []pipeline.RequestRef{consumer, other} {
		id := pipeline.Identifier{Kind: pipeline.Call, Value: "own"}
		c.Seed(&pipeline.Request{Account: ref.Account, ID: ref.ID}, id, identity.Canon{Kind: id.Kind, Value: id.Value})
	}
	for i, round := range []struct {
		hits []*pipeline.Hit
		want map[string]int
	}{
		{[]*pipeline.Hit{hit(consumer, 3, "x"), hit(consumer, 0, "x", "own", "y"), hit(other, 0, "y")}, map[string]int{"acme/R-1 x": 1, "acme/R-1 y": 1, "beta/R-1 y": 1}},
		{[]*pipeline.Hit{hit(consumer, 1, "x", "y", "z")}, map[string]int{"acme/R-1 z": 2}},
		{[]*pipeline.Hit{hit(consumer, 2, "x", "y", "z")}, map[string]int{}},
	} {
		for _, h := range round.hits {
			c.Hit(h)
		}
		more := c.Next()
		if got := seen(c); !reflect.DeepEqual(got, round.want) || more != (len(round.want) > 0) {
			t.Errorf("round %d looks for %v, want %v", i+2, got, round.want)
		}
	}
	if len(c.Limited) > 0 || c.LinksAll != 4 {
		t.Errorf("limited %v, %d links", c.Limited, c.LinksAll)
	}
}

// options are those of requests without a cut-off.
func options(depth, fanOut int) Options {
	return Options{
		Limits: Limits{Depth: depth, FanOut: fanOut}, Digest: digest,
		Cutoff:   func(pipeline.RequestRef) int64 { return pipeline.NoTime },
		Business: func(string, pipeline.Link, int64) bool { return false },
		Periods:  func(string, identity.Canon) []pipeline.Period { return nil },
	}
}

// TestReveal: a value whose digest a request has given is the consumer's own, and is
// looked for once, with the dates of the digest, however often it is met; what has another
// digest is somebody else's as ever.
func TestReveal(t *testing.T) {
	c := New(options(8, 100))
	own := identity.Canon{Kind: pipeline.Phone, Value: "14045550123"}
	from := &pipeline.Date{Time: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	c.Seed(&pipeline.Request{Account: consumer.Account, ID: consumer.ID}, pipeline.Identifier{ValidFrom: from}, own.Digests()[0])
	direct := func(numbers ...string) *pipeline.Hit {
		h := &pipeline.Hit{Request: consumer, Tier: pipeline.Hashed, Why: []pipeline.Evidence{{Kind: pipeline.Phone, Tier: pipeline.Hashed}}}
		for _, n := range numbers {
			h.Direct = append(h.Direct, pipeline.Link{Kind: pipeline.Phone, Value: n})
		}
		return h
	}
	for range 2 {
		c.Meet(direct("14045550123", "14045550199"))
	}
	c.Met()
	if !c.Next() {
		t.Fatal("nothing is looked for")
	}
	needles, asks := c.Round()
	if len(needles) != 1 || needles[0].Canon != own || needles[0].Tier != pipeline.Hashed || needles[0].Account != consumer.Account || len(asks[0]) != 1 || asks[0][0].Request != consumer || asks[0][0].From != from || asks[0][0].Via != "" {
		t.Errorf("looks for %v of %v", needles, asks)
	}
	if !c.knows(consumer, pipeline.Link{Kind: pipeline.Phone, Value: "14045550123"}) || c.knows(consumer, pipeline.Link{Kind: pipeline.Phone, Value: "14045550199"}) {
		t.Error("it does not know whose numbers these are")
	}
	c.Meet(direct("14045550123"))
	c.Met()
	if c.Next() {
		t.Error("it is looked for again")
	}
}

// TestLate: what is reached only through records dated after the cut-off is marked, on
// and on; a way through one that is not takes the mark away, then or later.
func TestLate(t *testing.T) {
	o := options(8, 100)
	o.Cutoff = func(pipeline.RequestRef) int64 { return 1000 }
	c := New(o)
	c.Seed(&pipeline.Request{Account: consumer.Account, ID: consumer.ID}, pipeline.Identifier{}, identity.Canon{Kind: pipeline.Phone, Value: "1"})
	at := func(when int64, late bool, links ...string) *pipeline.Hit {
		h := hit(consumer, 0, links...)
		h.Time, h.Why = when, []pipeline.Evidence{{Kind: pipeline.Phone, Tier: pipeline.Linked, Late: late}}
		return h
	}
	for i, round := range []struct {
		hits []*pipeline.Hit
		want map[string]bool // whether it is late
	}{
		{[]*pipeline.Hit{at(1001, false, "new", "both"), at(1000, false, "both", "old"), at(pipeline.NoTime, false, "undated")},
			map[string]bool{"new": true, "both": false, "old": false, "undated": false}},
		{[]*pipeline.Hit{at(pipeline.NoTime, true, "of new", "old"), at(5, true, "of new too")}, map[string]bool{"of new": true, "of new too": true}},
		{[]*pipeline.Hit{at(5, false, "of new", "new"), at(1001, false, "both")}, map[string]bool{"of new": false, "new": false}},
		{[]*pipeline.Hit{at(5, false, "of new", "new"), at(2000, true, "new")}, map[string]bool{}},
	} {
		for _, h := range round.hits {
			c.Hit(h)
		}
		c.Next()
		got := map[string]bool{}
		needles, asks := c.Round()
		for i, n := range needles {
			got[n.Canon.Value.Reveal()] = asks[i][0].Late
		}
		if !reflect.DeepEqual(got, round.want) {
			t.Errorf("round %d: %v, want %v", i+2, got, round.want)
		}
	}
}

// TestShared: a link id that stands beside somebody else's direct identifier is not
// followed, and what only it leads to is for review; one beside what is the consumer's
// own, or the business's, is.
func TestShared(t *testing.T) {
	o := options(8, 100)
	o.Business = func(_ string, d pipeline.Link, _ int64) bool { return d.Value == "15550100" }
	c := New(o)
	c.Seed(&pipeline.Request{Account: consumer.Account, ID: consumer.ID}, pipeline.Identifier{}, identity.Canon{Kind: pipeline.Phone, Value: "15550123"})
	phone := func(v string) pipeline.Link { return pipeline.Link{Kind: pipeline.Phone, Value: v} }
	mail := func(v string) pipeline.Link { return pipeline.Link{Kind: pipeline.Email, Value: v} }
	met := func(via, link string, direct ...pipeline.Link) *pipeline.Hit {
		h := hit(consumer, 0, link)
		h.Direct, h.Why = direct, []pipeline.Evidence{{Kind: pipeline.Phone, Tier: pipeline.Linked, Rule: "id", Via: via}}
		return h
	}
	round := func(want map[string]int, hits ...*pipeline.Hit) {
		t.Helper()
		for _, h := range hits {
			c.Meet(h)
		}
		c.Met()
		for _, h := range hits {
			c.Hit(h)
		}
		c.Next()
		if got := seen(c); !reflect.DeepEqual(got, want) {
			t.Errorf("looks for %v, want %v", got, want)
		}
	}
	own := met("", "browser", phone("15550123"), mail("ann.lee@gmail.com"))
	other := met("", "call", phone("15550123"))
	round(map[string]int{"acme/R-1 browser": 1, "acme/R-1 call": 1}, other, own)

	browser, call := digest("acme", pipeline.Link{Kind: pipeline.Call, Value: "browser"}), digest("acme", pipeline.Link{Kind: pipeline.Call, Value: "call"})
	his := met(browser, "his", mail("bob@example.com"))
	hers := met(browser, "hers", mail("Annlee+x@gmail.com"), phone("15550100"))
	nobodys := met(browser, "nobody's")
	both := met(browser, "both")
	both.Why = append(both.Why, pipeline.Evidence{Tier: pipeline.Linked, Rule: "id", Via: call})
	of := met(call, "of call", mail("annlee@gmail.com"), phone("15550100"))
	round(map[string]int{"acme/R-1 both": 1, "acme/R-1 of call": 1}, nobodys, hers, of, his, both)
	for h, want := range map[*pipeline.Hit]pipeline.Tier{own: pipeline.Linked, his: pipeline.Review, hers: pipeline.Review, nobodys: pipeline.Review, both: pipeline.Linked, of: pipeline.Linked} {
		if c.Judge(h); h.Tier != want {
			t.Errorf("%v is %s, want %s", h.Links, h.Tier, want)
		}
	}
	if !reflect.DeepEqual(c.Beside(), []Beside{{consumer, mail("ann.lee@gmail.com")}}) {
		t.Errorf("beside her own stands %v", c.Beside())
	}
}

// TestLimits: of too many link ids the first in order are kept, whatever the order
// of the work, and memory holds no more than those; each limit is reported.
func TestLimits(t *testing.T) {
	const fanOut, found = 50, 20_000
	values := make([]string, found)
	for i := range values {
		values[i] = fmt.Sprintf("CA%07d", i*37%found)
	}
	want := map[string]int{}
	sorted := slices.Sorted(slices.Values(values))
	for _, v := range sorted[:fanOut] {
		want[consumer.String()+" "+v] = 1
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for try := range 5 {
		c := New(options(1, fanOut))
		rng.Shuffle(found, func(i, j int) { values[i], values[j] = values[j], values[i] })
		for _, v := range values {
			c.Hit(hit(consumer, 4, v)) // at first by a longer way
			c.Hit(hit(consumer, 0, v))
			if n := len(c.fresh[consumer].ways); n > fanOut || n != len(c.fresh[consumer].heap) {
				t.Fatalf("%d link ids are kept", n)
			}
		}
		if !c.Next() || !reflect.DeepEqual(seen(c), want) {
			t.Fatalf("try %d: other link ids are followed", try)
		}
		if len(c.Limited) != 1 || c.Limited[0] != (Limited{consumer, 2, fanOut + 1, fanOut}) {
			t.Fatalf("reported %+v", c.Limited)
		}
		c.Hit(hit(consumer, 1, "CB"))
		if c.Next() {
			t.Fatal("the walk goes beyond its depth")
		}
		if len(c.Limited) != 2 || c.Limited[1] != (Limited{consumer, 3, 1, 0}) {
			t.Fatalf("reported %+v", c.Limited)
		}
	}
}

// TestUnsure: what stands beside the consumer's in a record that does not say whose it is,
// is not known as the consumer's: a link id beside it elsewhere is shared.
func TestUnsure(t *testing.T) {
	for _, unsure := range []bool{false, true} {
		c := New(options(8, 100))
		c.Seed(&pipeline.Request{Account: consumer.Account, ID: consumer.ID}, pipeline.Identifier{}, identity.Canon{Kind: pipeline.Email, Value: "ann@example.com"})
		number := pipeline.Link{Kind: pipeline.Phone, Value: "14045550123"}
		own := hit(consumer, 0, "browser")
		own.Direct, own.Unsure, own.Why = []pipeline.Link{number}, unsure, []pipeline.Evidence{{Kind: pipeline.Email, Tier: pipeline.Exact}}
		c.Meet(own)
		c.Met()
		c.Hit(own)
		c.Next()
		then := hit(consumer, 0, "call")
		then.Direct = []pipeline.Link{number}
		then.Why = []pipeline.Evidence{{Kind: pipeline.Call, Tier: pipeline.Linked, Via: digest("acme", pipeline.Link{Kind: pipeline.Call, Value: "browser"})}}
		c.Meet(then)
		c.Met()
		if c.Judge(then); then.Tier.Automatic() == unsure {
			t.Errorf("unsure %v: %s", unsure, then.Tier)
		}
	}
}

// TestHousehold: where the request names an address, a record of its phone that has only
// somebody else's address is for review, leads nowhere and tells nothing; so it is once
// the request is answered and its values are forgotten.
func TestHousehold(t *testing.T) {
	phone := pipeline.Link{Kind: pipeline.Phone, Value: "14045550123"}
	hers, his, shop := pipeline.Link{Kind: pipeline.Email, Value: "jane@example.com"}, pipeline.Link{Kind: pipeline.Email, Value: "bob@example.org"}, pipeline.Link{Kind: pipeline.Email, Value: "shop@example.com"}
	user := pipeline.Link{Kind: pipeline.User, Value: "17"}
	needles := []identity.Needle{}
	for _, l := range []pipeline.Link{phone, hers} {
		needles = append(needles, identity.Needle{Account: "acme", Canon: identity.Canon{Kind: l.Kind, Value: pipeline.Secret(l.Value)}})
	}
	keys, err := seal.Open(bytes.Repeat([]byte{3}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	begin := map[string]func(*Closure, string){
		"asked": func(c *Closure, subject string) {
			for _, n := range needles {
				c.Seed(&pipeline.Request{Account: consumer.Account, ID: consumer.ID, Subject: subject}, pipeline.Identifier{}, n.Canon)
			}
		},
		"answered": func(c *Closure, subject string) {
			for _, n := range needles {
				digests := keys.Derive("ledger", "acme")
				past := identity.Remember(digests, identity.Key{1}, "US", n).Needle("acme", n.Canon.Kind, digests)
				past.Agent = subject == "agent"
				c.Recall(past, []pipeline.Ask{{Request: consumer}})
			}
		},
	}
	for what, begin := range begin {
		for _, tt := range []struct {
			subject string
			direct  []pipeline.Link
			decided *pipeline.Decided
			review  bool
		}{
			{"consumer", []pipeline.Link{phone, his, user}, nil, true},
			{"consumer", []pipeline.Link{phone, his, user}, &pipeline.Decided{Verdict: pipeline.Include}, false},
			{"consumer", []pipeline.Link{phone, hers, user}, nil, false},
			{"consumer", []pipeline.Link{phone, his, hers, user}, nil, false},
			{"consumer", []pipeline.Link{phone, shop, user}, nil, false}, // the account's own
			{"agent", []pipeline.Link{phone, his, user}, nil, false},
		} {
			o := options(8, 100)
			o.Business = func(_ string, d pipeline.Link, _ int64) bool { return d == shop }
			c := New(o)
			begin(c, tt.subject)
			h := hit(consumer, 0, "call")
			h.Direct, h.Decided, h.Why = tt.direct, tt.decided, []pipeline.Evidence{{Kind: pipeline.Phone, Tier: pipeline.Exact, Rule: "phone.e164"}}
			c.Meet(h)
			c.Met()
			c.Hit(h)
			if c.Judge(h); h.Automatic() == tt.review || tt.review != (h.Why[0].Rule == "phone.e164.household") {
				t.Errorf("%s by %s, beside %v: %s", what, tt.subject, tt.direct, h.Tier)
			}
			if c.Next(); (len(seen(c)) == 0) != tt.review {
				t.Errorf("%s by %s, beside %v: it leads to %v", what, tt.subject, tt.direct, seen(c))
			}
			if tt.review && len(c.Beside()) > 0 {
				t.Errorf("%s: %v is taken for hers", what, c.Beside())
			}
		}
	}
}

// TestHouseholdFound: what is found of the consumer is not somebody else's, however it is
// written.
func TestHouseholdFound(t *testing.T) {
	c := New(options(8, 100))
	c.Seed(&pipeline.Request{Account: consumer.Account, ID: consumer.ID}, pipeline.Identifier{}, identity.Canon{Kind: pipeline.Email, Value: "jane@example.com"})
	h := hit(consumer, 0)
	h.Direct = []pipeline.Link{{Kind: pipeline.Email, Value: "smtp:jane@example.com"}}
	h.Why = []pipeline.Evidence{{Kind: pipeline.Email, Tier: pipeline.Normalised, Rule: "email.lower"}}
	if c.Judge(h); !h.Automatic() {
		t.Errorf("%v", h.Why)
	}
}
