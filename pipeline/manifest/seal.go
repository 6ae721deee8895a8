package manifest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"expunge/connectors"
	"expunge/pipeline/seal"
)

// ErrForged says that a manifest or an approval is not what was sealed.
var ErrForged = errors.New("manifest or approval is not authentic")

// Limits are the blast radius that policy allows.
type Limits struct {
	Fraction   float64
	MinRecords int64
}

// Holds reports whether r is beyond l. What was within the limits that its manifest was
// sealed under is held back by lowered ones only until an erasure has begun: from then on
// it may be gone already.
func (l Limits) Holds(r *Radius, begun bool) bool {
	gone := int64(math.Round(r.Part * float64(r.Of)))
	if r.Of == 0 {
		return r.Limit
	}
	return (r.Limit || !begun) && gone > l.MinRecords && r.Part > l.Fraction
}

// Finish makes the manifest. total is how many records an account has in a dataset.
func (s *Seal) Finish(run string, files []File, settings map[string]string, total func(account, dataset string) int64, limits Limits, keys *seal.Keys) (*Manifest, error) {
	m := &Manifest{Version: 1, Run: run, Settings: settings, Files: files, Accounts: map[string]*Account{}, Radius: []Radius{}, Review: slices.Concat([]File{}, s.Review)}
	for _, account := range slices.Sorted(maps.Keys(s.accounts)) {
		a := s.accounts[account]
		m.Rows += a.rows
		m.Accounts[account] = &Account{Rows: a.rows, SHA256: hex.EncodeToString(a.sum.Sum(nil)), Requests: slices.Sorted(maps.Keys(a.requests))}
		for _, dataset := range slices.Sorted(maps.Keys(a.records)) {
			c := a.records[dataset]
			r := Radius{Account: account, Dataset: dataset, Records: c.records, Mentions: c.mentions, Objects: c.objects, Versions: c.versions, Of: total(account, dataset)}
			gone := c.records + c.whole
			if r.Of > 0 {
				r.Part = float64(gone) / float64(r.Of)
			}
			r.Limit = gone > limits.MinRecords && (r.Of == 0 || r.Part > limits.Fraction) // of nobody knows how many: too many
			m.Radius = append(m.Radius, r)
		}
	}
	b, err := m.authenticated()
	if err != nil {
		return nil, fmt.Errorf("seal manifest: %w", err)
	}
	m.MAC = keys.Authenticate("manifest", b)
	return m, nil
}

func dir(run string) string { return "runs/" + run + "/manifest/" }

// Write writes manifest.json; its presence makes the manifest whole.
func (m *Manifest) Write(ctx context.Context, work connectors.Store) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	if _, err = work.Create(ctx, dir(m.Run)+"manifest.json", bytes.NewReader(append(b, '\n'))); err != nil && !errors.Is(err, connectors.ErrExists) {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// authenticated is what the MAC is over: all but itself.
func (m *Manifest) authenticated() ([]byte, error) {
	plain := *m
	plain.MAC = ""
	return json.Marshal(&plain)
}

// Digest is what an approval of the whole manifest names.
func (m *Manifest) Digest() string {
	b, _ := json.Marshal(m) // plain strings and numbers
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Read reads a manifest and checks that it is authentic and its files are whole.
func Read(ctx context.Context, work connectors.Store, keys *seal.Keys, run string) (*Manifest, error) {
	body, err := work.Open(ctx, connectors.Ref{Key: dir(run) + "manifest.json"}, connectors.All)
	if err != nil {
		return nil, fmt.Errorf("open manifest of run %s: %w", run, err)
	}
	defer body.Close()
	m := new(Manifest)
	if err := json.NewDecoder(body).Decode(m); err != nil {
		return nil, fmt.Errorf("read manifest of run %s: %w", run, err)
	}
	b, err := m.authenticated()
	if err != nil {
		return nil, err
	}
	if keys.Verify("manifest", b, m.MAC) != nil || m.Run != run {
		return nil, fmt.Errorf("manifest of run %s: %w", run, ErrForged)
	}
	for _, f := range m.Files {
		if err := check(ctx, work, dir(run)+f.Path, f.SHA256); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func check(ctx context.Context, work connectors.Store, key, want string) error {
	body, err := work.Open(ctx, connectors.Ref{Key: key}, connectors.All)
	if err != nil {
		return fmt.Errorf("open %s: %w", key, err)
	}
	defer body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != want {
		return fmt.Errorf("%s: %w", key, ErrForged)
	}
	return nil
}
