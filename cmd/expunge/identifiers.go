package main

import (
	"strings"

	"expunge/pipeline"
)

// identifiers reads --phone, --email and --id flags.
func identifiers(phones, emails, ids []string) ([]pipeline.Identifier, error) {
	var out []pipeline.Identifier
	add := func(kind pipeline.Kind, value string) {
		out = append(out, pipeline.Identifier{Kind: kind, Value: pipeline.Secret(value)})
	}
	for _, v := range phones {
		add(pipeline.Phone, v)
	}
	for _, v := range emails {
		add(pipeline.Email, v)
	}
	for _, v := range ids {
		kind, value, ok := strings.Cut(v, "=")
		if !ok {
			return nil, usage("--id must be kind=value")
		}
		add(pipeline.Kind(kind), value)
	}
	return out, nil
}
