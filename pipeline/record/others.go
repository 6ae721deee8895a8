package record

import (
	"slices"

	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/scanners"
)

// Others tells which records of an object whose key names a consumer are somebody
// else's all the same: those that name a person by themselves, by a phone, an address or a
// user id in a declared field of the consumer's party and, where that hangs on the record,
// role. It serves one goroutine.
type Others struct {
	finder *identity.Finder
	own    func(pipeline.Link) bool
	none   bool
}

// NewOthers reads records of dataset d. region is the country of national phone numbers;
// own reports whether an identifier is known as the consumer's, or as the account's own.
func NewOthers(d *pipeline.Dataset, region string, own func(pipeline.Link) bool) *Others {
	return &Others{
		finder: identity.Compile(identity.Key{}, region, nil).Finder(identity.FinderOptions{Fields: d.Fields}), own: own,
		none: !slices.ContainsFunc(d.Fields, func(f pipeline.Field) bool {
			return f.Party == pipeline.Consumer && !f.Text && identity.Direct(f.Kind)
		}),
	}
}

// None reports whether no record of the dataset can name anybody.
func (o *Others) None() bool { return o.none }

// Name reports whether a record names somebody else.
func (o *Others) Name(r *scanners.Record) bool {
	var direct []identity.Link
	roles := NewRoles(r)
	for _, leaf := range r.Leaves {
		if roles.Of(o.finder.Declared(leaf.Path)) != Other { // nor is the other side of the consumer's a consumer
			direct = o.finder.Direct(direct, leaf.Path, leaf.Value)
		}
	}
	return slices.ContainsFunc(direct, func(l identity.Link) bool {
		return !o.own(pipeline.Link{Kind: l.Kind, Value: l.Value.Reveal()})
	})
}
