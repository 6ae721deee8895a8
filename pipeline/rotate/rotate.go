// Package rotate brings a work store under a new work key: every file that is sealed
// or authenticated under an older one is made again under the current one, in its
// place, and what has to be kept of the older keys is put into one file:
//
//	keys/<id>    under the work key of this id: keys of digests and boxes, and MACs found good (see seal.Kept)
//
// It knows no kind of file: each room of the work store says how its own are renewed.
// A file is replaced whole and only while it is the one that was read, so a rotation
// may be killed at any operation and begun again. It erases nothing but what is kept
// under older keys, at the end, once nothing needs them.
package rotate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"sync"

	"expunge/connectors"
	"expunge/pipeline/engine"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// Kind is a kind of files of the work store that need the work key.
type Kind struct {
	Name  string
	Files *regexp.Regexp // of their keys
	Long  bool           // they are read in pieces, and must not be replaced beside a run that reads them
	Why   string         // some stay as they are

	// Renew reads a file and, where it is under an older key, writes to dst what takes
	// its place; or it says that the file stays, and has r keep what that needs.
	Renew func(r *seal.Rotation, file string, src io.Reader, dst io.Writer) (seal.Outcome, error)
}

// Rotation is one rotation of a work store.
type Rotation struct {
	Work   connectors.Store
	Keys   *seal.Keys
	Kinds  []Kind
	Beside bool // runs work meanwhile: long files wait until they have ended
	Dry    bool // nothing is written
}

// Count is what became of the files of one kind. A file that was sealed again may
// stay in part.
type Count struct {
	Kind    string `json:"kind"`
	Again   int64  `json:"sealed_again"`
	Current int64  `json:"under_the_new_key"` // from before
	Stays   int64  `json:"stays"`
	Waits   int64  `json:"waits"` // for runs that work meanwhile
	Why     string `json:"why,omitempty"`
}

// Unread is a file that is not what was written, or needs a key that is not given.
type Unread struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// Result is what a rotation came to.
type Result struct {
	Counts  []Count  `json:"kinds"`
	Keys    int      `json:"kept_keys"`
	MACs    int      `json:"kept_macs"`
	Unread  []Unread `json:"unread"`
	Unquiet bool     `json:"unquiet"` // somebody keeps writing under an older key
}

// Whole reports whether nothing needs an older work key any more, but for what is kept.
func (r *Result) Whole() bool {
	for _, c := range r.Counts {
		if c.Waits > 0 {
			return false
		}
	}
	return len(r.Unread) == 0 && !r.Unquiet
}

const (
	// workers is how many files are renewed at a time, each in memory but for the
	// long ones, of which it is two frames.
	workers = 16
	// passes is how often the store is listed until a pass finds nothing to renew.
	passes = 5
)

type pass struct {
	*Rotation
	seal *seal.Rotation

	mu     sync.Mutex
	counts []Count
	unread []Unread
	seen   map[string]string // by key, the ETag that needs no further look; some 150 bytes a file
	work   int               // files that the pass has renewed
}

// Do rotates. What is written by others meanwhile is listed again until nothing of
// it is under an older key.
func (r *Rotation) Do(ctx context.Context) (*Result, error) {
	p := &pass{Rotation: r, seal: r.Keys.Rotation(), counts: make([]Count, len(r.Kinds)), seen: map[string]string{}}
	for i, k := range r.Kinds {
		p.counts[i].Kind = k.Name
	}
	out := &Result{Unquiet: !r.Dry}
	for range passes {
		p.work = 0
		if err := engine.Map(ctx, workers, p.files(ctx), p.file, p.done); err != nil {
			return nil, err
		}
		if p.work == 0 || r.Dry {
			out.Unquiet = false
			break
		}
	}
	out.Counts, out.Unread = p.counts, append([]Unread{}, p.unread...)
	return out, p.keep(ctx, out)
}

// todo is a file that has to be looked at.
type todo struct {
	connectors.Object
	kind int
}

func (p *pass) files(ctx context.Context) iter.Seq2[todo, error] {
	return func(yield func(todo, error) bool) {
		for o, err := range p.Work.List(ctx, "") {
			if err != nil {
				yield(todo{}, fmt.Errorf("list work store: %w", err))
				return
			}
			for i := range p.Kinds {
				if !p.Kinds[i].Files.MatchString(o.Key) {
					continue
				}
				p.mu.Lock()
				known := p.seen[o.Key] == o.ETag
				p.mu.Unlock()
				if !known && !yield(todo{o, i}, nil) {
					return
				}
				break
			}
		}
	}
}

// looked is what became of a file.
type looked struct {
	seal.Outcome
	etag   string // of what is there now
	waits  bool
	gone   bool // or changed meanwhile: the next pass sees
	unread error
}

func (p *pass) file(ctx context.Context, t todo) (looked, error) {
	kind := &p.Kinds[t.kind]
	body, err := p.Work.Open(ctx, t.Ref, connectors.All)
	if changed(err) {
		return looked{gone: true}, nil
	}
	if err != nil {
		return looked{}, fmt.Errorf("open %s: %w", t.Key, err)
	}
	defer body.Close()
	out, err := spool.Temp()
	if err != nil {
		return looked{}, err
	}
	defer out.Close()
	src := &source{Reader: body}
	outcome, err := kind.Renew(p.seal, t.Key, src, out)
	switch {
	case src.err != nil && changed(src.err):
		return looked{gone: true}, nil
	case src.err != nil:
		return looked{}, fmt.Errorf("read %s: %w", t.Key, src.err)
	case err != nil && ctx.Err() != nil:
		return looked{}, ctx.Err()
	case err != nil:
		return looked{etag: t.ETag, unread: err}, nil
	}
	l := looked{Outcome: outcome, etag: t.ETag}
	if !outcome.Again {
		return l, nil
	}
	if kind.Long && p.Beside {
		l.waits = true
		return l, nil
	}
	if p.Dry {
		return l, nil
	}
	size, err := out.Seek(0, io.SeekCurrent)
	if err != nil {
		return looked{}, fmt.Errorf("read spool: %w", err)
	}
	o, err := p.Work.Replace(ctx, t.Ref, whole(out, size))
	if changed(err) {
		return looked{gone: true}, nil
	}
	if err != nil {
		return looked{}, fmt.Errorf("replace %s: %w", t.Key, err)
	}
	l.etag = o.ETag
	return l, nil
}

// whole is a patch that puts body in the place of all there is.
func whole(body io.ReaderAt, size int64) connectors.Patch {
	return connectors.Patch{Pieces: []connectors.Piece{{Spool: true, Len: size}}, Spool: body}
}

// changed reports whether somebody else wrote or removed the file.
func changed(err error) bool {
	return errors.Is(err, connectors.ErrChanged) || errors.Is(err, connectors.ErrNotFound)
}

// source tells what a store failed for from what is wrong with a file.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (p *pass) done(t todo, l looked) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.gone {
		p.work++
		return nil
	}
	p.seen[t.Key] = l.etag
	c := &p.counts[t.kind]
	switch {
	case l.unread != nil:
		p.unread = append(p.unread, Unread{t.Key, l.unread.Error()})
		return nil
	case l.waits:
		c.Waits++
	case l.Again:
		c.Again++
		p.work++
	case !l.Stays:
		c.Current++
	}
	if l.Stays {
		c.Stays, c.Why = c.Stays+1, p.Kinds[t.kind].Why
	}
	return nil
}
