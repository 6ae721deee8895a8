package closure

import (
	"testing"

	"expunge/pipeline"
	"expunge/pipeline/identity"
)

// What confirms who a request is of: kinds of its own identifiers in one record, however
// many records there are, and what earlier runs know.
func TestDataPoints(t *testing.T) {
	of := func(kind pipeline.Kind, tier pipeline.Tier) pipeline.Evidence {
		return pipeline.Evidence{Kind: kind, Tier: tier, Rule: "r"}
	}
	phone, email, name := of(pipeline.Phone, pipeline.Exact), of(pipeline.Email, pipeline.Hashed), of(pipeline.Name, pipeline.Review)
	name.Rule = identity.RuleName
	linked := pipeline.Evidence{Kind: pipeline.Call, Tier: pipeline.Linked, Via: "v"}
	undated := pipeline.Evidence{Kind: pipeline.Email, Tier: pipeline.Exact, Undated: true}
	doubtful := name
	doubtful.Rule += ".other_role"
	type hits [][]pipeline.Evidence
	for what, c := range map[string]struct {
		hits  hits
		known int
		want  int
		set   func(h *pipeline.Hit)
	}{
		"nothing":               {nil, 0, 0, nil},
		"one, many times":       {hits{{phone}, {phone, phone}, {phone}}, 0, 1, nil},
		"two apart":             {hits{{phone}, {email}}, 0, 1, nil},
		"two together":          {hits{{phone}, {phone, email}}, 0, 2, nil},
		"a name beside":         {hits{{phone, name}}, 0, 2, nil},
		"another's name":        {hits{{phone, doubtful}}, 0, 1, nil},
		"three":                 {hits{{phone, email, name}, {phone}}, 0, 3, nil},
		"a mention":             {hits{{phone, of(pipeline.Email, pipeline.Mention)}}, 0, 1, nil},
		"a shared address":      {hits{{phone, of(pipeline.IP, pipeline.Review)}}, 0, 1, nil},
		"a link":                {hits{{phone, linked}}, 0, 1, nil},
		"undated":               {hits{{phone, undated}}, 0, 1, nil},
		"after the cut-off":     {hits{{phone, email}}, 0, 0, func(h *pipeline.Hit) { h.Time = 101 }},
		"another's, as is said": {hits{{phone, email}}, 0, 0, func(h *pipeline.Hit) { h.Decided = &pipeline.Decided{Verdict: pipeline.Exclude} }},
		"of earlier runs":       {hits{{phone}}, 2, 2, nil},
	} {
		for needed := range 4 {
			o := options(8, 100)
			o.Cutoff = func(pipeline.RequestRef) int64 { return 100 }
			o.DataPoints = func(ref pipeline.RequestRef) (int, int) { return needed, c.known }
			walk := New(o)
			for _, why := range c.hits {
				h := &pipeline.Hit{Request: consumer, Why: why, Time: pipeline.NoTime, Tier: pipeline.Exact}
				if c.set != nil {
					c.set(h)
				}
				walk.Meet(h)
			}
			if got := walk.DataPoints(consumer); got != c.want {
				t.Errorf("%s: %d data points, want %d", what, got, c.want)
			}
			// Links are followed, and records acted upon, only where that is enough.
			h := hit(consumer, 0, "x")
			walk.Judge(h)
			walk.Hit(hit(consumer, 0, "x"))
			if enough := c.want >= needed; h.Automatic() != enough || walk.Next() != enough || (h.Why[0].Rule == "") != enough {
				t.Errorf("%s, where %d are needed: %+v", what, needed, h)
			}
		}
	}
}
