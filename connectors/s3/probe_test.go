package s3

import (
	"bytes"
	"errors"
	"testing"

	"expunge/connectors"
)

func TestProbeAndCheck(t *testing.T) {
	for _, versioned := range []bool{false, true} {
		s := local(t, versioned, nil)
		c, err := s.Probe(t.Context(), "scratch/")
		if err != nil || !c.All() || c.Versioned != versioned {
			t.Errorf("probe (versioned %t): %+v, %v", versioned, c, err)
		}
		for v, err := range s.Versions(t.Context(), "") {
			t.Errorf("the probe left %q %q, %v", v.Key, v.Version, err)
		}
		for range 2 { // what a probe that was killed leaves
			if _, err := s.Create(t.Context(), "scratch/"+probeName+"-0", bytes.NewReader([]byte("left over"))); err != nil && !errors.Is(err, connectors.ErrExists) {
				t.Fatal(err)
			}
		}
		if _, err := s.Create(t.Context(), "scratch/other", bytes.NewReader(nil)); err != nil {
			t.Fatal(err)
		}
		if err := s.Sweep(t.Context(), "scratch/"); err != nil {
			t.Errorf("sweep: %v", err)
		}
		for v, err := range s.Versions(t.Context(), "") {
			if err != nil || v.Key != "scratch/other" {
				t.Errorf("the sweep left %q %q, %v", v.Key, v.Version, err)
			}
		}
		set, err := s.Check(t.Context())
		want := map[bool]Setting{true: On, false: Off}[versioned]
		if err != nil || set.Versioning != want || set.ObjectLock != Off || set.Region != "us-east-1" {
			t.Errorf("check (versioned %t): %+v, %v", versioned, set, err)
		}
	}
	s := local(t, false, func(o *Options) { o.Bucket = "no-such-bucket" })
	if _, err := s.Check(t.Context()); !errors.Is(err, connectors.ErrNoStore) {
		t.Errorf("check of no bucket: %v", err)
	}
	if _, err := s.Create(t.Context(), "k", bytes.NewReader(nil)); !errors.Is(err, connectors.ErrNoStore) {
		t.Errorf("create in no bucket: %v", err)
	}
}

// Where versioning is suspended, a probe leaves nothing behind either.
func TestProbeWhereVersioningIsSuspended(t *testing.T) {
	s := local(t, true, nil)
	if err := server.SetVersioning(t.Context(), s.opt.Bucket, false); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Probe(t.Context(), "scratch/"); err != nil || !c.All() {
		t.Errorf("probe: %+v, %v", c, err)
	}
	for v, err := range s.Versions(t.Context(), "") {
		t.Errorf("the probe left %q %q, %v", v.Key, v.Version, err)
	}
	if set, err := s.Check(t.Context()); err != nil || set.Versioning != Suspended {
		t.Errorf("check: %+v, %v", set, err)
	}
}
