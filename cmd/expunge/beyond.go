package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"expunge/connectors/retry"
	"expunge/connectors/s3"
	"expunge/pipeline"
	"expunge/pipeline/certificate"
	"expunge/pipeline/config"
)

// notCovered says in a certificate what the stores of its objects keep beside what was
// searched: copies elsewhere, and versions that nobody has looked into.
func (e *erasure) notCovered(ctx context.Context, b *certificate.Body) error {
	touched := map[string]bool{}
	for _, o := range b.Objects {
		touched[e.storeOf(o.Dataset)] = true
	}
	for _, c := range e.cfg.Stores {
		if !touched[c.Name] {
			continue
		}
		lines, known := e.beyond[c.Name]
		if !known {
			store, err := e.vendor(ctx, c)
			if err != nil {
				return unreached(c, err)
			}
			if bucket, ok := store.(bucket); ok {
				var set s3.Settings
				err := retry.Do(ctx, retries, func() (err error) { set, err = bucket.Check(ctx); return err })
				if err != nil {
					return fmt.Errorf("read the settings of store %q: %w", c.Name, err)
				}
				lines = beyond(&set, c)
			}
			if e.beyond == nil {
				e.beyond = map[string][]string{}
			}
			e.beyond[c.Name] = lines
		}
		b.NotCovered = append(b.NotCovered, lines...)
	}
	return nil
}

// storeOf is the store that a dataset lies in.
func (e *erasure) storeOf(dataset string) string {
	i := slices.IndexFunc(e.cfg.Datasets, func(d pipeline.Dataset) bool { return d.Name == dataset })
	if i < 0 {
		return ""
	}
	name, _, _ := strings.Cut(e.cfg.Datasets[i].At, "/")
	return name
}

// beyond is what a bucket keeps beside what is searched.
func beyond(s *s3.Settings, c config.Store) []string {
	var lines []string
	say := func(when bool, format string) {
		if when {
			lines = append(lines, fmt.Sprintf(format, c.Name))
		}
	}
	say(s.Replication == s3.On, "store %s is replicated: deleting versions and giving up uploads is never carried over to the copies; erase there, too, as a store of the config")
	say(s.Replication == s3.Unknown, "store %s does not tell whether it is replicated (s3:GetReplicationConfiguration): if it is, erase in the copies, too")
	say(!c.Versions && s.Versioning != s3.Off, "store %s keeps older versions, or does not tell, and the config says versions: current: they were neither searched nor erased")
	return lines
}
