package s3

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"expunge/connectors"
)

func TestProbeAndCheck(t *testing.T) {
	for _, versioned := range []bool{false, true} {
		s := local(t, versioned, nil)
		c, err := s.Probe(t.Context(), "scratch/", "mine")
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
	if c, err := s.Probe(t.Context(), "scratch/", "mine"); err != nil || !c.All() {
		t.Errorf("probe: %+v, %v", c, err)
	}
	for v, err := range s.Versions(t.Context(), "") {
		t.Errorf("the probe left %q %q, %v", v.Key, v.Version, err)
	}
	if set, err := s.Check(t.Context()); err != nil || set.Versioning != Suspended {
		t.Errorf("check: %+v, %v", set, err)
	}
}

// Where a bucket locks what is written, or does not let go of versions, the conditions are
// judged all the same; what stays is told once and tried by all later probes.
func TestProbeWhereNothingGoes(t *testing.T) {
	denying := func(message string) func(*Options) {
		inner := client()
		t.Cleanup(inner.CloseIdleConnections)
		return func(o *Options) {
			o.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodDelete && r.URL.Query().Has("versionId") {
					body := "<Error><Code>AccessDenied</Code><Message>" + message + "</Message></Error>"
					return &http.Response{StatusCode: 403, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
				}
				return inner.Do(r)
			})
		}
	}
	for name, open := range map[string]func() *Store{
		"default retention": func() *Store {
			s := local(t, true, nil)
			s.opt.Bucket += "-locked"
			if err := server.CreateLockedBucket(t.Context(), s.opt.Bucket); err != nil {
				t.Fatal(err)
			}
			_, err := server.Client().PutObjectLockConfiguration(t.Context(), &s3.PutObjectLockConfigurationInput{Bucket: s.bucket(), ObjectLockConfiguration: &types.ObjectLockConfiguration{
				ObjectLockEnabled: types.ObjectLockEnabledEnabled,
				Rule:              &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance, Days: aws.Int32(3)}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			if set, err := s.Check(t.Context()); err != nil || set.Retention == nil || *set.Retention != (Retention{"GOVERNANCE", 3, 0}) {
				t.Errorf("check: %+v, %v", set.Retention, err)
			}
			return s
		},
		"denied": func() *Store { return local(t, true, denying("Access Denied")) },
		"mfa":    func() *Store { return local(t, true, denying("Mfa Authentication must be used for this request")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open()
			for i, run := range []string{"one", "two", "three", "one"} {
				c, err := s.Probe(t.Context(), "scratch/", run)
				if err == nil {
					err = s.Sweep(t.Context(), "scratch/"+run+"/")
				}
				if err != nil || !c.All() || !c.Versioned {
					t.Fatalf("%s: %+v, %v", run, c, err)
				}
				if want := []string{"scratch/one/" + probeName + "-0", "", "", ""}[i]; c.Left != want {
					t.Errorf("%s leaves %q, want %q", run, c.Left, want)
				}
			}
			var left []string
			for v, err := range s.Versions(t.Context(), "") {
				left = append(left, v.Key)
				if err != nil || !v.Current || v.Deleted {
					t.Errorf("version %+v, %v", v, err)
				}
			}
			if !slices.Equal(left, []string{"scratch/one/" + probeName + "-0"}) {
				t.Errorf("the probes left %q", left)
			}
		})
	}
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }
