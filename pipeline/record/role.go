package record

import (
	"bytes"
	"slices"
	"strings"

	"expunge/pipeline"
	"expunge/scanners"
)

// Role is whom a declared field holds in one record.
type Role int

// Roles.
const (
	Own    Role = iota // the consumer
	Other              // the other side: a consumer's identifier there is a mention
	Untold             // one of the two
)

// Roles says whom the declared fields of one record hold. What was said is remembered: a
// list may have a million elements, and the field that tells may stand anywhere.
type Roles struct {
	record *scanners.Record
	told   map[*pipeline.When]Role
}

// NewRoles makes the roles of r.
func NewRoles(r *scanners.Record) *Roles { return &Roles{record: r} }

// Of says whom field f holds. f is nil for a field that nobody declared.
func (r *Roles) Of(f *pipeline.Field) Role {
	if f == nil || f.When == nil {
		return Own
	}
	role, known := r.told[f.When]
	if !known {
		role = tell(r.record, f.When)
		if r.told == nil {
			r.told = map[*pipeline.When]Role{}
		}
		r.told[f.When] = role
	}
	return role
}

// Foreign lists those of fields that hold the consumer in other records, and not, for all
// that is told, in this one.
func (r *Roles) Foreign(fields []pipeline.Field) []string {
	var paths []string
	for i := range fields {
		if r.Of(&fields[i]) != Own {
			paths = append(paths, fields[i].Path)
		}
	}
	return paths
}

// tell reads the field that w names.
func tell(r *scanners.Record, w *pipeline.When) Role {
	role, told := Untold, false
	for _, leaf := range r.Leaves {
		if leaf.Path != w.Field {
			continue
		}
		says := Untold
		switch v := string(bytes.TrimSpace(leaf.Value)); {
		case among(w.Is, v):
			says = Own
		case among(w.IsNot, v):
			says = Other
		}
		if told && says != role {
			return Untold // a JSON object may have a name twice
		}
		role, told = says, true
	}
	return role
}

func among(values []string, v string) bool {
	return slices.ContainsFunc(values, func(of string) bool { return strings.EqualFold(of, v) })
}
