// Package ledger keeps what an erasure has to remember so that data which is
// delivered again can be recognised when the identity itself is destroyed: keyed
// digests of every canonical, hashed and linking form, token hashes that say where
// to look, digests of the records and whole objects that were erased, and the cut-off up
// to which the deletion reaches. It holds no value.
//
//	ledger/<account>/<request>/<run>-<records>
//
// Files are create-only and sealed under the work key, their frames bound to their
// names. A request has one for each run that certified some of it: what a run erased
// holds link ids that no later run can find again. The digests are keyed per
// account, so that none joins across accounts.
package ledger

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// Purpose is that of the digests' keys.
const Purpose = "ledger"

const tokensPurpose = Purpose + ".tokens"

// Version is the format's.
const Version = 1

// Head begins a file.
type Head struct {
	Version   int    `json:"version"`
	Account   string `json:"account"`
	Request   string `json:"request"` // ACCOUNT/ID
	Run       string `json:"run"`
	Cutoff    int64  `json:"cutoff"`    // Unix milliseconds: what is dated later is new
	Records   int64  `json:"records"`   // digests of erased records and whole objects
	KeyID     string `json:"key_id"`    // of the digests
	Tokenizer string `json:"tokenizer"` // by whose rules, and …
	TokenKey  string `json:"token_key"` // … a digest of the catalog key by which, the tokens were made
}

// Needle is an identifier without its value.
type Needle struct {
	Kind  pipeline.Kind  `json:"k"`
	Doubt bool           `json:"d,omitempty"`
	Tier  pipeline.Tier  `json:"t,omitempty"`
	Agent bool           `json:"g,omitempty"`
	Asks  []pipeline.Ask `json:"q"`

	Beside bool `json:"b,omitempty"` // known as the consumer's, and not searched for
	identity.Remembered
}

// Ledger is that of a work store.
type Ledger struct {
	Work   connectors.Store
	Keys   *seal.Keys
	Region string // of national numbers
}

func (l *Ledger) key(h *Head) string {
	ref, _ := pipeline.ParseRequestRef(h.Request) // Add has checked it
	return fmt.Sprintf("ledger/%s/%s/%s-%d", ref.Account, ref.ID, h.Run, h.Records)
}

func (l *Ledger) file(key string) *spool.File {
	return (&spool.Box{Keys: l.Keys, Purpose: Purpose}).File(key)
}

// tokenKey says which catalog key tokens hang on, without giving it away.
func (l *Ledger) tokenKey(key identity.Key) string {
	return l.Keys.Digest(tokensPurpose, "", key[:])
}

// fresh reports whether tokens that hang on the catalog key of that digest are those of
// key: by the current work key or by an older one.
func (l *Ledger) fresh(digest string, key identity.Key) bool {
	return slices.ContainsFunc(l.Keys.All(tokensPurpose, ""), func(k *seal.Key) bool { return k.Digest(key[:]) == digest })
}

// Add writes what one run has to remember of one request: what was searched for, and
// the direct identifiers that stood beside it. records yields as many
// digests of erased records, and of whole objects (see Content), as h.Records says (32 hex
// digits each). A file that is
// there is kept: of one run and as many records, it says the same.
func (l *Ledger) Add(ctx context.Context, h Head, key identity.Key, needles []identity.Needle, asks [][]pipeline.Ask, beside []pipeline.Link, records iter.Seq2[string, error]) error {
	ref, err := pipeline.ParseRequestRef(h.Request)
	if err != nil || ref.Account != h.Account {
		return fmt.Errorf("write ledger: %q is no request of account %q", h.Request, h.Account)
	}
	digests := l.Keys.Derive(Purpose, h.Account)
	h.Version, h.KeyID, h.Tokenizer, h.TokenKey = Version, digests.ID(), identity.TokenizerVersion, l.tokenKey(key)
	f, err := spool.Temp()
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := spool.NewWriter(f, l.file(l.key(&h)))
	if err != nil {
		return err
	}
	write := func(v any) error {
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("write ledger: %w", err)
		}
		return w.Write(b)
	}
	if err := write(h); err != nil {
		return err
	}
	for i, n := range needles {
		if n.Account != h.Account {
			return fmt.Errorf("write ledger of %s: an identifier is of account %q", h.Request, n.Account)
		}
		if n.Past != nil {
			continue // an earlier file has it
		}
		kept := Needle{Kind: n.Canon.Kind, Doubt: n.Canon.Doubt, Tier: n.Tier, Agent: n.Agent, Asks: asks[i], Remembered: identity.Remember(digests, key, l.Region, n)}
		if err := write(kept); err != nil {
			return err
		}
	}
	for _, b := range beside {
		kept := Needle{Kind: b.Kind, Beside: true, Remembered: identity.RememberValue(digests, b.Kind, b.Value)}
		if err := write(kept); err != nil {
			return err
		}
	}
	if err := w.Write(nil); err != nil { // ends the needles
		return err
	}
	var count int64
	for d, err := range records {
		var b []byte
		if err == nil {
			b, err = hex.DecodeString(d)
		}
		if err != nil {
			return fmt.Errorf("write ledger of %s: %w", h.Request, err)
		}
		if err := w.Write(b); err != nil {
			return err
		}
		count++
	}
	if count != h.Records {
		return fmt.Errorf("write ledger of %s: %d erased records, not %d", h.Request, count, h.Records)
	}
	if err := w.Close(); err != nil {
		return err
	}
	if _, err := l.Work.Create(ctx, l.key(&h), f); err != nil && !errors.Is(err, connectors.ErrExists) {
		return fmt.Errorf("write ledger of %s: %w", h.Request, err)
	}
	return nil
}

// Entry is a file of the ledger.
type Entry struct {
	Head
	Needles []Needle
	Records [][16]byte // digests of erased records and whole objects
	Stale   bool       // its tokens are of another tokenizer or catalog key: they find nothing
}

// Names lists the files of the ledger, by name.
func (l *Ledger) Names(ctx context.Context) ([]string, error) {
	var out []string
	for o, err := range l.Work.List(ctx, "ledger/") {
		if err != nil {
			return nil, fmt.Errorf("list ledger: %w", err)
		}
		out = append(out, o.Key)
	}
	return out, nil
}

// RequestOf is the request that a file of the ledger is about, by its name.
func RequestOf(name string) (pipeline.RequestRef, error) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || parts[0] != "ledger" {
		return pipeline.RequestRef{}, fmt.Errorf("%s is no file of the ledger", name)
	}
	return pipeline.ParseRequestRef(parts[1] + "/" + parts[2])
}

// Read reads a file of the ledger. One that was changed or moved is seal.ErrForged.
func (l *Ledger) Read(ctx context.Context, name string, key identity.Key) (*Entry, error) {
	e, err := l.read(ctx, name, key)
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	return e, nil
}

func (l *Ledger) read(ctx context.Context, name string, key identity.Key) (*Entry, error) {
	body, err := l.Work.Open(ctx, connectors.Ref{Key: name}, connectors.All)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer body.Close()
	r, err := spool.NewReader(body, l.file(name))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	e := &Entry{}
	rec, err := r.Next()
	if err == nil {
		err = json.Unmarshal(rec, &e.Head)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if e.Version != Version {
		return nil, fmt.Errorf("%s is of version %d; this program reads %d", name, e.Version, Version)
	}
	if !strings.HasPrefix(name, "ledger/"+e.Request+"/") {
		return nil, fmt.Errorf("%s is of request %s: %w", name, e.Request, seal.ErrForged)
	}
	e.Stale = e.Tokenizer != identity.TokenizerVersion || !l.fresh(e.TokenKey, key)
	for {
		rec, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: needles: %w", name, noEOF(err))
		}
		if len(rec) == 0 {
			break
		}
		var n Needle
		if err := json.Unmarshal(rec, &n); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		e.Needles = append(e.Needles, n)
	}
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		if err == nil && len(rec) != 16 {
			err = fmt.Errorf("a digest of %d bytes", len(rec))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		e.Records = append(e.Records, [16]byte(rec))
	}
	if int64(len(e.Records)) != e.Head.Records {
		return nil, fmt.Errorf("%s: %d erased records, not %d", name, len(e.Records), e.Head.Records)
	}
	return e, nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
