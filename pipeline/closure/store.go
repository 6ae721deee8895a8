package closure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/identity"
	"expunge/pipeline/ledger"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// Store keeps the identities of a run, sealed, in its work store: what each request
// asked for when the walk was over, link ids included. Verification searches for
// them again; when the verify period is over, they are destroyed.
//
//	runs/<run>/identities
type Store struct {
	Work connectors.Store
	Keys *seal.Keys
	Run  string
}

// Key names the file in the work store.
func (s *Store) Key() string { return "runs/" + s.Run + "/identities" }

// known is one record of the file.
type known struct {
	Account string         `json:"a"`
	Kind    pipeline.Kind  `json:"k"`
	Value   string         `json:"v"`
	Ext     string         `json:"x,omitempty"`
	Doubt   bool           `json:"d,omitempty"`
	Tier    pipeline.Tier  `json:"t,omitempty"`
	Agent   bool           `json:"g,omitempty"`
	Asks    []pipeline.Ask `json:"q"`

	Past   *past `json:"p,omitempty"` // of what the ledger remembers without its value
	Beside bool  `json:"b,omitempty"` // known as the consumer's, and not searched for
}

type past struct {
	KeyID string `json:"i"` // of its digests
	identity.Remembered
}

const purpose = "identities"

// Writer takes the identities round by round.
type Writer struct {
	s *Store
	f *os.File
	w *spool.Writer
}

// NewWriter returns a writer; Close it in any case.
func (s *Store) NewWriter() (*Writer, error) {
	f, err := spool.Temp()
	if err != nil {
		return nil, err
	}
	box := &spool.Box{Keys: s.Keys, Purpose: purpose}
	w, err := spool.NewWriter(f, box.File(s.Key()))
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Writer{s, f, w}, nil
}

// Close removes the spool.
func (w *Writer) Close() { w.f.Close() }

// Add takes what one round looked for, and for whom.
func (w *Writer) Add(needles []identity.Needle, asks [][]pipeline.Ask) error {
	for i, n := range needles {
		k := known{Account: n.Account, Kind: n.Canon.Kind, Value: n.Canon.Value.Reveal(), Ext: n.Canon.Ext.Reveal(), Doubt: n.Canon.Doubt, Tier: n.Tier, Agent: n.Agent, Asks: asks[i]}
		if n.Past != nil {
			k.Past = &past{n.Past.KeyID(), *n.Past}
		}
		b, err := json.Marshal(k)
		if err != nil {
			return fmt.Errorf("keep identities: %w", err)
		}
		if err := w.w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// AddBeside takes what is known of consumers beside what was looked for.
func (w *Writer) AddBeside(beside []Beside) error {
	for _, b := range beside {
		rec, err := json.Marshal(known{Account: b.Request.Account, Kind: b.Direct.Kind, Value: b.Direct.Value, Asks: []pipeline.Ask{{Request: b.Request}}, Beside: true})
		if err != nil {
			return fmt.Errorf("keep identities: %w", err)
		}
		if err := w.w.Write(rec); err != nil {
			return err
		}
	}
	return nil
}

// Store writes the file. A run that was killed and resumed walks the same way, so
// what is there already is the same.
func (w *Writer) Store(ctx context.Context) error {
	if err := w.w.Close(); err != nil {
		return err
	}
	if _, err := w.s.Work.Create(ctx, w.s.Key(), w.f); err != nil && !errors.Is(err, connectors.ErrExists) {
		return fmt.Errorf("keep identities: %w", err)
	}
	return nil
}

// Read reads what the requests of keep asked for.
func (s *Store) Read(ctx context.Context, keep func(pipeline.RequestRef) bool) (needles []identity.Needle, asks [][]pipeline.Ask, err error) {
	needles, asks, _, err = s.ReadAll(ctx, keep)
	return needles, asks, err
}

// ReadAll reads what is known of the consumers beside that, too.
func (s *Store) ReadAll(ctx context.Context, keep func(pipeline.RequestRef) bool) (needles []identity.Needle, asks [][]pipeline.Ask, beside []Beside, err error) {
	body, err := s.Work.Open(ctx, connectors.Ref{Key: s.Key()}, connectors.All)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("open identities of run %s: %w", s.Run, err)
	}
	defer body.Close()
	box := &spool.Box{Keys: s.Keys, Purpose: purpose}
	r, err := spool.NewReader(body, box.File(s.Key()))
	if err != nil {
		return nil, nil, nil, err
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return needles, asks, beside, nil
		}
		var k known
		if err == nil {
			err = json.Unmarshal(rec, &k)
		}
		if err != nil {
			return nil, nil, nil, fmt.Errorf("read identities of run %s: %w", s.Run, err)
		}
		var of []pipeline.Ask
		for _, ask := range k.Asks {
			if keep(ask.Request) {
				of = append(of, ask)
			}
		}
		if len(of) == 0 {
			continue
		}
		if k.Beside {
			beside = append(beside, Beside{of[0].Request, pipeline.Link{Kind: k.Kind, Value: k.Value}})
			continue
		}
		n := identity.Needle{
			Account: k.Account, Tier: k.Tier, Agent: k.Agent,
			Canon: identity.Canon{Kind: k.Kind, Value: pipeline.Secret(k.Value), Ext: pipeline.Secret(k.Ext), Doubt: k.Doubt},
		}
		if k.Past != nil {
			digests, ok := s.Keys.ByID(ledger.Purpose, k.Account, k.Past.KeyID)
			if !ok {
				return nil, nil, nil, fmt.Errorf("read identities of run %s: digests are of work key %s, which is not given", s.Run, k.Past.KeyID)
			}
			n.Past = k.Past.Needle(k.Account, k.Kind, digests).Past
		}
		needles, asks = append(needles, n), append(asks, of)
	}
}
