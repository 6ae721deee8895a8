package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"expunge/connectors"
	"expunge/connectors/s3"
	"expunge/pipeline"
	"expunge/pipeline/config"
)

// checkedStore is what check says of a store.
type checkedStore struct {
	Name     string    `json:"name"`
	URL      string    `json:"url"`
	Summary  string    `json:"summary"`
	Settings *settings `json:"settings,omitempty"` // of a bucket
	Notes    []string  `json:"notes"`              // what follows for erasure
}

// settings are a bucket's, as --json has them.
type settings struct {
	Bucket        string     `json:"bucket"`
	Region        string     `json:"region"`
	Versioning    s3.Setting `json:"versioning"`
	MFADelete     s3.Setting `json:"mfa_delete"`
	ObjectLock    s3.Setting `json:"object_lock"`
	Retention     *retention `json:"default_retention,omitempty"`
	Replication   s3.Setting `json:"replication"`
	Lifecycle     s3.Setting `json:"lifecycle"`
	Notifications s3.Setting `json:"notifications"`
	Denied        []string   `json:"denied,omitempty"`
}

// retention is by which a bucket locks what is written to it.
type retention struct {
	Mode  string `json:"mode"`
	Days  int    `json:"days,omitempty"`
	Years int    `json:"years,omitempty"`
}

// bucket is a store that can say how it is set up.
type bucket interface {
	Check(ctx context.Context) (s3.Settings, error)
}

// checkStores reaches the stores and reads their settings. What keeps several of
// them from being reached is told at once.
func (a *app) checkStores(ctx context.Context) ([]checkedStore, error) {
	var out []checkedStore
	var problems []error
	for _, c := range a.cfg.Stores {
		store, err := a.vendor(ctx, c)
		if err != nil {
			problems = append(problems, unreached(c, err))
			continue
		}
		s := checkedStore{Name: c.Name, URL: store.URL()}
		if b, ok := store.(bucket); ok {
			set, err := b.Check(ctx)
			if err != nil {
				problems = append(problems, unreached(c, err))
				continue
			}
			s.Settings, s.Summary, s.Notes = shownSettings(&set), summary(&set), bucketNotes(&set, c)
		} else {
			s.Summary = "a directory, which keeps no versions"
			s.Notes = []string{"exact against writers that rename into place; files that are written in place can change unseen within a clock tick, so let nobody write there while expunge erases"}
		}
		out = append(out, s)
	}
	return out, errors.Join(problems...)
}

// unreached says which store cannot be reached, and what to do. What a server says
// in many words is cut down to what it means.
func unreached(c config.Store, err error) error {
	what := func(known error, todo string) error {
		return fmt.Errorf("reach store %q (%s): %w; %s", c.Name, c.URL, known, todo)
	}
	switch {
	case errors.Is(err, connectors.ErrNoStore):
		return &coded{exitUsage, what(connectors.ErrNoStore, "mend its url in the config, or create it")}
	case errors.Is(err, connectors.ErrDenied):
		return what(connectors.ErrDenied, "check the credentials, and that they may list and read")
	}
	return fmt.Errorf("reach store %q: %w", c.Name, err)
}

func shownSettings(s *s3.Settings) *settings {
	return &settings{s.Bucket, s.Region, s.Versioning, s.MFADelete, s.ObjectLock, (*retention)(s.Retention), s.Replication, s.Lifecycle, s.Notifications, s.Denied}
}

func summary(s *s3.Settings) string {
	return fmt.Sprintf("region %s, versioning %s, object lock %s, replication %s, lifecycle %s, notifications %s",
		s.Region, s.Versioning, s.ObjectLock, s.Replication, s.Lifecycle, s.Notifications)
}

// bucketNotes says what a bucket's settings mean for erasure.
func bucketNotes(s *s3.Settings, c config.Store) []string {
	notes := []string{}
	note := func(when bool, text string) {
		if when {
			notes = append(notes, text)
		}
	}
	note(s.Versioning == s3.On && !c.Versions, "it keeps versions, and the config says versions: current: older versions are neither searched nor erased")
	note(s.Versioning == s3.Suspended, "versioning is suspended: older versions are still there, and what is overwritten now is not kept")
	note(s.MFADelete == s3.On, "deleting a version takes MFA, which expunge cannot give: older versions are left, and their requests are BLOCKED until the bucket's owner deletes them or turns MFA delete off")
	note(s.Versioning != s3.Off && s.Versioning != s3.Unknown, "objects of before versioning was turned on, or written while it is suspended, have no version id: once they are not current any more, such versions are left to the bucket's owner, and their requests are BLOCKED until they are gone")
	note(s.ObjectLock == s3.On, "locked versions cannot be deleted before their time: their erasure is deferred until then, and their requests are BLOCKED; allow s3:GetObjectRetention and s3:GetObjectLegalHold, so that certificates can say until when")
	if r := s.Retention; r != nil {
		note(true, fmt.Sprintf("what is written is locked by default (%s, %s), also what expunge rewrites: a version that an erasure replaces goes when its own lock has ended", r.Mode, retentionTime(r)))
	}
	note(s.MFADelete == s3.On || s.Retention != nil, "erase tries the store's conditions on a small object below "+scratch+", which then cannot be removed: one stays, and is used again")
	note(s.Replication == s3.On, "it is replicated: erasing here does not reach the copies; make the replica a store of the config, too")
	note(s.Lifecycle == s3.On, "lifecycle rules may archive or remove objects during a run: archived ones are refused until they are restored")
	note(s.Notifications == s3.On, "somebody is notified of every write: make sure that a rewritten object is not loaded a second time")
	note(len(s.Denied) > 0, "erase would be refused, since what stands beside an object's bytes could not be kept: allow "+strings.Join(s.Denied, ", "))
	var unknown []string
	for _, x := range []struct {
		set  s3.Setting
		name string
	}{{s.Versioning, "versioning"}, {s.ObjectLock, "object lock"}, {s.Replication, "replication"}, {s.Lifecycle, "lifecycle"}, {s.Notifications, "notifications"}} {
		if x.set == s3.Unknown {
			unknown = append(unknown, x.name)
		}
	}
	note(len(unknown) > 0, strings.Join(unknown, ", ")+" could not be read: allow s3:GetBucket* and s3:GetReplicationConfiguration, s3:GetLifecycleConfiguration, or ask the bucket's owner")
	return notes
}

// retentionTime is how long a default retention locks.
func retentionTime(r *s3.Retention) string {
	if r.Years > 0 {
		return pipeline.Count(r.Years, "year", "years")
	}
	return pipeline.Count(r.Days, "day", "days")
}
