package closure

import (
	"math/rand/v2"
	"testing"

	"expunge/pipeline"
	"expunge/pipeline/identity"
)

// TestSharedByDigest: a digest beside a link id is somebody else's where its field holds
// the consumer's own in the same form elsewhere; what else it may be proves nothing.
func TestSharedByDigest(t *testing.T) {
	jane := identity.Canon{Kind: pipeline.Email, Value: "jane@example.com"}
	sum := func(address string) string {
		return (identity.Canon{Kind: pipeline.Email, Value: pipeline.Secret(address)}).Sums()[0]
	}
	digested := func(kind pipeline.Kind, field, form, value string) pipeline.Digested {
		return pipeline.Digested{Kind: kind, Field: field, Form: form, Value: value}
	}
	own, other := digested(pipeline.Email, "mail", "sha256 hex", sum("jane@example.com")), digested(pipeline.Email, "mail", "sha256 hex", sum("bob@example.com"))
	phone, number := digested(pipeline.Phone, "phone", "sha1 hex", "01"), digested(pipeline.Phone, "phone", "sha1 hex", "02")
	at := func(d pipeline.Digested, field, form string) pipeline.Digested {
		d.Field, d.Form = field, form
		return d
	}
	of := func(dataset string, e pipeline.Evidence, ds ...pipeline.Digested) *pipeline.Hit {
		return &pipeline.Hit{Request: consumer, Dataset: dataset, Tier: e.Tier, Why: []pipeline.Evidence{e}, Digests: ds, Links: []pipeline.Link{{Kind: pipeline.Call, Value: "next"}}}
	}
	direct := func(dataset string, ds ...pipeline.Digested) *pipeline.Hit {
		return of(dataset, pipeline.Evidence{Kind: pipeline.Email, Tier: pipeline.Hashed}, ds...)
	}
	via := digest(consumer.Account, pipeline.Link{Kind: pipeline.Visitor, Value: "browser"})
	linked := func(dataset string, ds ...pipeline.Digested) *pipeline.Hit {
		return of(dataset, pipeline.Evidence{Kind: pipeline.Visitor, Tier: pipeline.Linked, Via: via}, ds...)
	}
	given := jane.Digests()[0]
	for _, tt := range []struct {
		name   string
		seed   identity.Canon
		hits   []*pipeline.Hit
		shared bool
	}{
		{"another's, in a field that has the consumer's", jane, []*pipeline.Hit{direct("a", own), linked("a", other)}, true},
		{"the consumer's alone", jane, []*pipeline.Hit{direct("a", own), linked("a", own)}, false},
		{"both in one record", jane, []*pipeline.Hit{direct("a", own), linked("a", own, other)}, true},
		{"a field that never has the consumer's: perhaps salted", jane, []*pipeline.Hit{direct("a", own), linked("a", at(other, "salted", "sha256 hex"))}, false},
		{"another form", jane, []*pipeline.Hit{direct("a", own), linked("a", at(other, "mail", "sha256 base64"))}, false},
		{"another dataset", jane, []*pipeline.Hit{direct("a", own), linked("b", other)}, false},
		{"no record has the consumer's", jane, []*pipeline.Hit{linked("a", other)}, false},
		{"beside the consumer's own, of a kind that is not named", jane, []*pipeline.Hit{direct("a", own, phone), linked("a", number)}, true},
		{"the same", jane, []*pipeline.Hit{direct("a", own, phone), linked("a", phone)}, false},
		{"beside the consumer's own, of a kind that is named", jane, []*pipeline.Hit{direct("a", own, other), linked("a", other)}, true},
		{"the request knows digests alone", given, []*pipeline.Hit{direct("a", own), linked("a", other)}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 10 { // in whatever order
				c := New(options(8, 100))
				c.Seed(&pipeline.Request{Account: consumer.Account, ID: consumer.ID}, pipeline.Identifier{}, tt.seed)
				rand.Shuffle(len(tt.hits), func(i, k int) { tt.hits[i], tt.hits[k] = tt.hits[k], tt.hits[i] })
				for _, h := range tt.hits {
					c.Meet(h)
				}
				c.Met()
				if _, shared := c.shared[through{consumer, via}]; shared != tt.shared {
					t.Fatalf("shared: %v", shared)
				}
			}
		})
	}

	t.Run("what an id of the request's own leads to", func(t *testing.T) {
		for _, d := range []pipeline.Digested{own, other} {
			c := New(options(8, 100))
			c.Seed(&pipeline.Request{Account: consumer.Account, ID: consumer.ID}, pipeline.Identifier{}, jane)
			h := of("a", pipeline.Evidence{Kind: pipeline.Visitor, Tier: pipeline.Exact}, d)
			c.Meet(direct("a", own))
			c.Meet(h)
			c.Met()
			c.Hit(h)
			if c.Next() != (d == own) {
				t.Errorf("followed: %v", d != own)
			}
		}
	})
}
