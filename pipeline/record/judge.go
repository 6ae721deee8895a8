package record

import (
	"time"

	"expunge/pipeline"
	"expunge/scanners"
)

// Judge says how sure the matches of one record are. A run asks it what to act upon,
// and verification what should be gone: what one of them leaves to a person, the other
// must not take for residue.
type Judge struct {
	When Moment // of the record
	*Roles

	record   *scanners.Record
	declared func(path string) *pipeline.Field
	policy   pipeline.Policy
	account  string
	zone     *time.Location
}

// NewJudge makes the judge of r, a record of an account and of dataset d. declared is
// the field of d that a path falls under, nil if none does.
func NewJudge(r *scanners.Record, d *pipeline.Dataset, declared func(path string) *pipeline.Field, account string, policy pipeline.Policy) *Judge {
	return &Judge{When: Time(r, d), Roles: NewRoles(r), record: r, declared: declared, policy: policy, account: account, zone: d.Zone}
}

// Tier is how sure a match is for a request that asks for what was matched, and the
// rule by which it was found with why it is no surer.
func (j *Judge) Tier(m *scanners.Match, ask *pipeline.Ask) (tier pipeline.Tier, rule string) {
	tier, rule = pipeline.Tier(m.Tier), m.Rule
	if moved, is := j.policy.Tier(j.account, tier); is {
		tier, rule = moved, rule+".policy"
	}
	switch j.Of(j.declared(m.Path)) {
	case Other:
		rule += ".other_role"
		if tier.Automatic() {
			tier = pipeline.Mention
		}
	case Untold:
		tier, rule = pipeline.Review, rule+".role_unknown"
	}
	if in, certain := j.business(ask); in && !certain {
		tier, rule = pipeline.Review, rule+".business_number"
	}
	if j.record.Suspect {
		tier, rule = pipeline.Review, rule+".malformed"
	}
	switch {
	case ask.Outside(j.When.From, j.zone):
		tier, rule = pipeline.Review, rule+".outside_validity"
	case !j.When.Known() && (ask.From != nil || ask.To != nil):
		tier, rule = pipeline.Review, rule+".validity_unknown" // perhaps of who had the number before, or has it now
	}
	return tier, rule
}

// Business reports whether what was matched was the account's own number when the record
// was made: then the match is nobody's.
func (j *Judge) Business(ask *pipeline.Ask) bool {
	_, certain := j.business(ask)
	return certain
}

// business reports whether the record may be of a time in which what was matched was the
// account's own, and whether it certainly is.
func (j *Judge) business(ask *pipeline.Ask) (may, certain bool) {
	for _, p := range ask.Business {
		all := p == pipeline.Period{From: pipeline.Always, To: pipeline.Ever}
		certain = certain || all || j.When.Known() && p.From <= j.When.From && j.When.To <= p.To
		may = may || !j.When.Known() || p.From <= j.When.To && j.When.From <= p.To
	}
	return may, certain
}
