// Package config reads the YAML config: strictly, in one go, and with every
// mistake reported by file, line and column. An unknown or mistyped key is an
// error that names the nearest right one, since a setting that is silently
// ignored here is a person's data left behind.
//
// It reads no secret: it only knows the names of the environment variables that
// hold them. It reaches no store; `expunge check` does.
package config

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
	_ "time/tzdata" // policy.timezone must resolve in images without zone files

	"expunge/pipeline"
)

// Config is a whole, checked configuration.
type Config struct {
	Path      string // of the file
	Name      string
	Work      Work
	Signing   Signing
	Approvers []Approver // by name; none: approvals are authenticated by the work key
	Stores    []Store    // by name; without the work store
	Policy    Policy
	Ignore    []Ignore
	Bundles   Bundles
	Accounts  []Account // by name
	Datasets  []pipeline.Dataset
	Kinds     []pipeline.Kind // those every config knows, then those this one names, sorted
	Warnings  []Problem       // what loads, but will hold something back later
	Digest    string          // of all that bears on what is found and done; hex
}

// Work is where expunge keeps what is its own.
type Work struct {
	Store
	KeyEnv     string   // environment variable with the work key
	OldKeyEnvs []string // while rotating
}

// Signing says where the Ed25519 seed for certificates is, and what they were signed with
// before.
type Signing struct {
	KeyEnv  string
	OldKeys []ed25519.PublicKey
}

// Approver is a person whose approvals are signed.
type Approver struct {
	Name string
	Key  ed25519.PublicKey
}

// Store is where objects are: Dir is set for a directory, Bucket for S3.
type Store struct {
	Name      string
	URL       string // as configured; a directory's is absolute
	Dir       string
	Bucket    string
	Prefix    string // below the bucket; "" or ending in "/"
	Endpoint  string // "": AWS
	PathStyle bool
	Region    string
	Profile   string // of the AWS shared config; "": the default chain
	Versions  bool   // whether older versions are searched and erased, too (versions: all, the default)
}

// Policy is what bounds a run.
type Policy struct {
	Approval         string  // required or automatic
	MaxEraseFraction float64 // of an account's records in a dataset
	MinRecords       int64   // MaxEraseFraction trips only on more than that
	MaxRunRecords    int64   // of the whole run
	Noncurrent       string  // delete or keep
	Cutoff           string  // run or received
	DefaultRegion    string  // of phone numbers without a country: ISO 3166, two letters
	Timezone         *time.Location
	VerifyPeriod     time.Duration // how long an identity stays sealed after its certificate
	DataPoints       DataPoints
}

// DataPoints says, by right, how many data points have to confirm who asks.
type DataPoints map[pipeline.Right]int

// Ignore names objects that need no dataset.
type Ignore struct {
	At      string
	Reason  string
	Pattern *Pattern
}

// Bundles says how bundles are written.
type Bundles struct {
	Encryption string        // parquet or none
	Keep       time.Duration // until purge removes them
}

// Account is a business customer.
type Account struct {
	Name            string
	IDs             []string // other names of it in keys and fields
	BusinessNumbers []string
	DataPoints      DataPoints      // in the place of the policy's, right by right
	Review          []pipeline.Tier // tiers that a person decides on for this account, too
	Exceptions      []pipeline.Exception
}

// Load reads and checks the config at path. env resolves ${NAME} in the stores'
// url, endpoint, region and profile. The error is a Problems where the file could
// be read: all mistakes at once.
func Load(path string, env func(string) string) (*Config, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	return Parse(path, src, env)
}

// Parse is Load for the content of a file. Relative directories are relative to
// the folder that path is in.
func Parse(path string, src []byte, env func(string) string) (*Config, error) {
	root, err := parseYAML(path, src)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("resolve folder of config: %w", err)
	}
	r := &reader{file: path, dir: dir, env: env}
	c := r.config(root)
	if len(r.problems) > 0 {
		r.problems.sort()
		return nil, r.problems
	}
	c.Path = path
	c.Warnings = r.warnings
	for i := range c.Datasets {
		c.Datasets[i].Zone = c.Policy.Timezone
	}
	c.digest()
	return c, nil
}

// AccountOf returns the name of the account that id names: its name or one of its
// ids, exactly.
func (c *Config) AccountOf(id string) (string, bool) {
	for i := range c.Accounts {
		if c.Accounts[i].Name == id || slices.Contains(c.Accounts[i].IDs, id) {
			return c.Accounts[i].Name, true
		}
	}
	return "", false
}

// AccountIDs maps every name and id of an account to its name, for look-ups by
// record.
func (c *Config) AccountIDs() map[string]string {
	m := make(map[string]string, 2*len(c.Accounts))
	for _, a := range c.Accounts {
		m[a.Name] = a.Name
		for _, id := range a.IDs {
			m[id] = a.Name
		}
	}
	return m
}

// Account returns the account of that name.
func (c *Config) Account(name string) (Account, bool) {
	i, ok := slices.BinarySearchFunc(c.Accounts, name, func(a Account, n string) int {
		switch {
		case a.Name < n:
			return -1
		case a.Name > n:
			return 1
		}
		return 0
	})
	if !ok {
		return Account{}, false
	}
	return c.Accounts[i], true
}

// DataPoints is how many data points have to confirm who a request of an account is of,
// before anything is done for it without being asked: the most that one of its rights
// needs. 0: none have to.
func (c *Config) DataPoints(account string, rights []pipeline.Right) (needed int, of pipeline.Right) {
	a, _ := c.Account(account)
	for _, right := range rights {
		n, own := a.DataPoints[right]
		if !own {
			n = c.Policy.DataPoints[right]
		}
		if n > needed {
			needed, of = n, right
		}
	}
	return needed, of
}

// Matcher returns the index of what the datasets and ignores claim.
func (c *Config) Matcher() (*Matcher, error) {
	at, names := make([]string, len(c.Datasets)), make([]string, len(c.Datasets))
	for i := range c.Datasets {
		at[i], names[i] = c.Datasets[i].At, c.Datasets[i].Name
	}
	m, err := NewMatcher(at, c.Ignore)
	if err != nil {
		return nil, err
	}
	m.names = names
	return m, nil
}

func digestOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only plain values get here
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// digest fills in the digests. A dataset's covers what bears on which records and
// tokens are found in its objects, and nothing else: a new purpose or a new account
// must not make the whole catalog stale.
func (c *Config) digest() {
	for i := range c.Datasets {
		d := &c.Datasets[i]
		version := "dataset/4"
		if slices.ContainsFunc(d.Fields, func(f pipeline.Field) bool { return f.Spoken }) {
			version = "dataset/5" // what is said over several records leaves tokens, too
		}
		d.Digest = digestOf([]any{
			version, d.At, d.Format, d.CSV, d.Time, d.Account, plain(d.Fields), plainMap(d.Object), d.Search,
			c.Policy.DefaultRegion, c.Policy.Timezone.String(),
		})
		exceptions := d.Exceptions
		for _, a := range c.Accounts {
			for _, x := range a.Exceptions {
				if x.Dataset == d.Name {
					x.Account = a.Name
					exceptions = append(exceptions[:len(exceptions):len(exceptions)], x)
				}
			}
		}
		d.Settings = digestOf([]any{"settings/1", d.Digest, d.Erase, exceptions})
	}
	type dataset struct {
		Found, Category string
		Sources         []string
		Purposes        []string
		Disclosed       []pipeline.Disclosure
		Categories      []string
		Erase           pipeline.Erasure
		Slack           time.Duration
		Business        *pipeline.Numbers `json:",omitempty"`
	}
	var sets []dataset
	for _, d := range c.Datasets {
		s := dataset{d.Digest, d.Category, d.Sources, d.Purposes, d.Disclosed, nil, d.Erase, d.DateSlack, d.Business}
		for _, f := range d.Fields {
			s.Categories = append(s.Categories, f.Category)
		}
		sets = append(sets, s)
	}
	type ignore struct{ At, Reason string }
	var ignores []ignore
	for _, i := range c.Ignore {
		ignores = append(ignores, ignore{i.At, i.Reason})
	}
	type store struct {
		Name, URL string
		Versions  bool
	}
	var stores []store
	for _, s := range c.Stores {
		stores = append(stores, store{s.Name, s.URL, s.Versions})
	}
	policy := c.Policy
	policy.Timezone = nil // it is in the datasets' digests
	c.Digest = digestOf([]any{"config/1", c.Name, stores, policy, ignores, c.Bundles.Encryption, c.Accounts, sets})
}

// plainField is a field without its compiled pattern.
type plainField struct {
	Path, Kind, Pattern, Party string
	Link, Text                 bool
	Spoken                     bool           `json:",omitempty"`
	When                       *pipeline.When `json:",omitempty"`
}

func plainOf(f pipeline.Field) plainField {
	p := plainField{Path: f.Path, Kind: string(f.Kind), Party: string(f.Party), Link: f.Link, Text: f.Text, Spoken: f.Spoken, When: f.When}
	if f.Pattern != nil {
		p.Pattern = f.Pattern.String()
	}
	return p
}

func plain(fields []pipeline.Field) []plainField {
	out := make([]plainField, len(fields))
	for i, f := range fields {
		out[i] = plainOf(f)
	}
	return out
}

func plainMap(m map[string]pipeline.Field) map[string]plainField {
	out := make(map[string]plainField, len(m))
	for k, f := range m {
		out[k] = plainOf(f)
	}
	return out
}
