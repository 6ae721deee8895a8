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

// RoleOf says whom field f holds in r. f is nil for a field that nobody declared.
func RoleOf(r *scanners.Record, f *pipeline.Field) Role {
	if f == nil || f.When == nil {
		return Own
	}
	role, told := Untold, false
	for _, leaf := range r.Leaves {
		if leaf.Path != f.When.Field {
			continue
		}
		says := Untold
		switch v := string(bytes.TrimSpace(leaf.Value)); {
		case among(f.When.Is, v):
			says = Own
		case among(f.When.IsNot, v):
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
