package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"time"

	"expunge/connectors"
	"expunge/connectors/count"
	"expunge/connectors/dir"
	"expunge/connectors/retry"
	"expunge/connectors/s3"
	"expunge/pipeline"
	"expunge/pipeline/catalog"
	"expunge/pipeline/claim"
	"expunge/pipeline/config"
	"expunge/pipeline/identity"
	"expunge/pipeline/intake"
	"expunge/pipeline/naming"
	"expunge/pipeline/pool"
	"expunge/pipeline/seal"
	"expunge/scanners"
	"expunge/scanners/avro"
	"expunge/scanners/compress"
	"expunge/scanners/csv"
	"expunge/scanners/detect"
	"expunge/scanners/json"
	"expunge/scanners/jsonl"
	"expunge/scanners/media"
	"expunge/scanners/parquet"
	"expunge/scanners/text"
)

// formats are the scanners there are, by the names of the config.
func formats() map[string]scanners.Scanner {
	return map[string]scanners.Scanner{
		"jsonl":   jsonl.Scanner{},
		"json":    json.Scanner{},
		"csv":     csv.New(),
		"tsv":     csv.NewTSV(),
		"parquet": parquet.New(),
		"text":    text.Scanner{},
		"media":   media.Scanner{},
		"avro":    avro.Scanner{},
	}
}

// app is a loaded config with its keys and its work store.
type app struct {
	cfg   *config.Config
	keys  *seal.Keys
	work  connectors.Store
	now   func() time.Time
	flags *flags

	vendor func(ctx context.Context, c config.Store) (connectors.Store, error) // makes the stores of the lake
	calls  map[string]*count.Calls                                             // what is asked of each store; the work store's name is workCalls
	watch  stopwatch
	pool   pool.Pool        // the accounts' own numbers, as datasets list them; empty until it is read
	taken  *intake.Requests // one for all, since it remembers what it has seen

	deferred []*intake.Entry // requests whose erasure waits (see waitsOutside), as a run for all finds them
}

// workCalls is not the name of a store in a config: those are not empty.
const workCalls = ""

func open(ctx context.Context, f *flags) (*app, error) {
	cfg, err := config.Load(f.config, os.Getenv)
	if err != nil {
		return nil, &coded{exitUsage, err}
	}
	keys, err := seal.FromEnv(os.Getenv, cfg.Work.KeyEnv, cfg.Work.OldKeyEnvs...)
	if err != nil {
		return nil, &coded{exitUsage, err}
	}
	a := &app{cfg: cfg, keys: keys, now: f.now, flags: f, vendor: vendor, calls: map[string]*count.Calls{}, watch: stopwatch{now: f.now}}
	if cfg.Work.Dir != "" {
		if err := os.MkdirAll(cfg.Work.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("create work store: %w", err)
		}
	}
	if a.work, err = a.openStore(ctx, workCalls, vendor, cfg.Work.Store); err != nil {
		return nil, fmt.Errorf("open work store: %w", err)
	}
	a.taken = &intake.Requests{Work: a.work, Keys: a.keys, Now: a.now}
	if err := a.checkWorkKey(ctx); err != nil {
		return nil, err
	}
	return a, nil
}

// vendor makes a store as the config describes it.
func vendor(ctx context.Context, c config.Store) (connectors.Store, error) {
	if c.Dir != "" {
		return dir.New(c.Name, c.Dir)
	}
	store, err := s3.New(ctx, s3.Options{
		Name: c.Name, Bucket: c.Bucket, Prefix: c.Prefix, Endpoint: c.Endpoint,
		Region: c.Region, Profile: c.Profile, PathStyle: c.PathStyle, Versions: c.Versions,
	})
	if err != nil {
		return nil, &coded{exitUsage, err} // no request was sent: the settings are not right
	}
	return store, nil
}

// openStore opens a store under the retry policy; each try is counted under name.
func (a *app) openStore(ctx context.Context, name string, vendor func(context.Context, config.Store) (connectors.Store, error), c config.Store) (connectors.Store, error) {
	store, err := vendor(ctx, c)
	if err != nil {
		return nil, err
	}
	if a.calls[name] == nil {
		a.calls[name] = new(count.Calls)
	}
	return retry.New(count.New(store, a.calls[name]), retries), nil
}

// retries is the one retry policy of the program.
var retries = retry.Policy{Sleep: pause, Rand: mathrand.Float64}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stores opens the stores of the lake.
func (a *app) stores(ctx context.Context) (map[string]connectors.Store, error) {
	out := map[string]connectors.Store{}
	for _, c := range a.cfg.Stores {
		store, err := a.openStore(ctx, c.Name, a.vendor, c)
		if err != nil {
			return nil, unreached(c, err)
		}
		out[c.Name] = store
	}
	return out, nil
}

func (a *app) requests() *intake.Requests { return a.taken }

func (a *app) claims() *claim.Claims { return &claim.Claims{Store: a.work, Now: a.now} }

func (a *app) names(stores map[string]connectors.Store) *naming.Names {
	n := &naming.Names{URLs: map[string]string{}, Datasets: a.cfg.Datasets, Region: a.cfg.Policy.DefaultRegion, Keys: a.keys}
	for name, s := range stores {
		n.URLs[name] = s.URL()
	}
	return n
}

// numbers are the account's own, in canonical form and as the digests that requests may
// give instead.
func numbers(acc *config.Account, region string) map[pipeline.Secret]bool {
	out := map[pipeline.Secret]bool{}
	for _, number := range acc.BusinessNumbers {
		if c, err := identity.Normalise(pipeline.Phone, pipeline.Secret(number), region); err == nil {
			out[c.Value] = true
			for _, d := range c.Digests() {
				out[d.Value] = true
			}
		}
	}
	return out
}

// policy says which tiers a person decides on.
func (a *app) policy() pipeline.Policy {
	p := pipeline.Policy{}
	for i := range a.cfg.Accounts {
		if acc := &a.cfg.Accounts[i]; len(acc.Review) > 0 {
			p[acc.Name] = acc.Review
		}
	}
	return p
}

// check reports whether an identifier of a request can be looked for. What the pools
// list is the business's at a time: that of the request, or the last that the identifier
// was the consumer's.
func (a *app) check(r *pipeline.Request) func(id pipeline.Identifier) error {
	region := a.cfg.Policy.DefaultRegion
	var business map[pipeline.Secret]bool
	if acc, ok := a.cfg.Account(r.Account); ok {
		business = numbers(&acc, region)
	}
	return func(id pipeline.Identifier) error {
		c, err := identity.Identify(id, region)
		if err != nil {
			return err
		}
		if id.Kind == pipeline.Phone && business[c.Value] {
			return errors.New("is a number of the business itself: it would match every caller")
		}
		at := r.Received
		if id.ValidTo != nil && id.ValidTo.End(a.cfg.Policy.Timezone).Before(at) {
			at = id.ValidTo.End(a.cfg.Policy.Timezone).Add(-time.Millisecond)
		}
		if a.pool.At(r.Account, c, at.UnixMilli()) {
			return fmt.Errorf("is a number of the business itself on %s, by the datasets that list these: it would match every caller; "+
				"if it was the consumer's before, say until when (valid_to)", at.In(a.cfg.Policy.Timezone).Format(time.DateOnly))
		}
		return nil
	}
}

// catalogKey reads the key that tokens are hashed under, or makes it.
func (a *app) catalogKey(ctx context.Context) (identity.Key, error) {
	const name = catalog.KeyName
	var key identity.Key
	body, err := a.work.Open(ctx, connectors.Ref{Key: name}, connectors.All)
	if errors.Is(err, connectors.ErrNotFound) {
		if _, err := rand.Read(key[:]); err != nil {
			return key, err
		}
		_, err = a.work.Create(ctx, name, newReader(a.keys.WrapKey(catalog.KeyPurpose, key[:])))
		if errors.Is(err, connectors.ErrExists) {
			return a.catalogKey(ctx)
		}
		return key, err
	}
	if err != nil {
		return key, fmt.Errorf("open catalog key: %w", err)
	}
	defer body.Close()
	box, err := io.ReadAll(io.LimitReader(body, 1<<16))
	if err != nil {
		return key, fmt.Errorf("read catalog key: %w", err)
	}
	plain, err := a.keys.UnwrapKey(catalog.KeyPurpose, box)
	if err != nil {
		return key, fmt.Errorf("open catalog key: %w", err)
	}
	copy(key[:], plain)
	return key, nil
}

// detectFormat tells an object's format from its first bytes, unpacked, and where they
// leave doubts from its name.
func detectFormat(ctx context.Context, in scanners.Input) (string, error) {
	body, err := in.Open(ctx, 0, 4*detect.HeadSize)
	if err != nil {
		return "", scanners.Refuse(scanners.Unreadable, in.Name, err)
	}
	defer body.Close()
	stream, _, err := compress.Open(body)
	if err != nil {
		return "", compress.Refuse(ctx, in.Name, err)
	}
	defer stream.Close()
	var head []byte
	for len(head) < detect.HeadSize {
		chunk, err := stream.Next()
		head = append(head, chunk...)
		if err != nil {
			break // the head of a packed object is cut, which its scan will judge
		}
	}
	if len(head) == 0 {
		return "text", nil // nothing is in it, such as after an erasure of all its records: no format has a say
	}
	if string(head) == "\ufeff" {
		return "jsonl", nil // the same, of an object that began with a byte order mark; it is no record there
	}
	return detect.Named(head[:min(len(head), detect.HeadSize)], in.Ext), nil
}

// openObject opens ranges of exactly one version.
func openObject(store connectors.Store, ref connectors.Ref) func(context.Context, int64, int64) (io.ReadCloser, error) {
	return func(ctx context.Context, off, n int64) (io.ReadCloser, error) {
		return store.Open(ctx, ref, connectors.Range{Off: off, Len: n})
	}
}
