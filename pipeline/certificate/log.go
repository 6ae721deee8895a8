package certificate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"expunge/connectors"
)

const logDir = "certificate-log/"

// origin is the first line of the log's heads.
const origin = "expunge certificate log"

// Log is the log of certificates in a work store: a Merkle tree whose leaves are
// files that are only ever created, so that two writers cannot take one place. What
// Append has read or added it knows from then on, less than a KiB a leaf: a leaf never
// changes. Not safe for concurrent use; several processes may each have one.
type Log struct {
	Work connectors.Store

	listed bool
	next   int64 // the first place that is not known to be taken, once listed
	leaves map[int64]leaf
}

// leaf is certificate-log/<n>.json.
type leaf struct {
	Version     int         `json:"version"`
	N           int64       `json:"n"`
	Certificate string      `json:"certificate"`
	Record      tlog.Hash   `json:"record"` // RFC 6962 hash of the certificate's body
	Hashes      []tlog.Hash `json:"hashes"` // that this leaf adds to the tree
}

// Proof says that a body is in the log.
type Proof struct {
	N     int64            `json:"n"`     // of the leaf, from 0
	Size  int64            `json:"size"`  // leaves of the tree that head signs
	Root  tlog.Hash        `json:"root"`  // of that tree
	Proof tlog.RecordProof `json:"proof"` // RFC 6962 audit path
	Head  string           `json:"head"`  // signature lines of a note: origin, size, root
}

func head(size int64, root tlog.Hash) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, root)
}

// Append adds a body and returns the proof that it is there. A body that an earlier,
// killed try has added is not added twice.
func (l *Log) Append(ctx context.Context, certificate string, body []byte, s *Signer) (Proof, error) {
	record := tlog.RecordHash(body)
	if !l.listed {
		var err error
		if l.next, err = l.size(ctx); err != nil {
			return Proof{}, err
		}
		l.listed = true
	}
	for i := l.next - 1; i >= 0 && i >= l.next-recent; i-- {
		old, err := l.leaf(ctx, i)
		if err != nil {
			return Proof{}, err
		}
		if old.Record == record && old.Certificate == certificate {
			return l.prove(ctx, i, s)
		}
	}
	for {
		n := l.next
		hashes, err := tlog.StoredHashesForRecordHash(n, record, l.reader(ctx))
		if err != nil {
			return Proof{}, fmt.Errorf("extend log: %w", err)
		}
		ours := leaf{Version: 1, N: n, Certificate: certificate, Record: record, Hashes: hashes}
		b, err := json.Marshal(ours)
		if err != nil {
			return Proof{}, err
		}
		_, err = l.Work.Create(ctx, leafKey(n), bytes.NewReader(append(b, '\n')))
		if err != nil && !errors.Is(err, connectors.ErrExists) {
			return Proof{}, fmt.Errorf("extend log: %w", err)
		}
		if err == nil {
			l.know(ours)
		}
		there, err := l.leaf(ctx, n) // ours, or another writer's
		if err != nil {
			return Proof{}, err
		}
		l.next++
		if there.Record == record && there.Certificate == certificate {
			return l.prove(ctx, n, s)
		}
	}
}

// recent is how many leaves are looked through for one that a killed try has added.
const recent = 1000

// prove gives the proof of leaf n in the tree that ends with it: so the same leaf
// has the same proof whenever it is asked for.
func (l *Log) prove(ctx context.Context, n int64, s *Signer) (Proof, error) {
	p := Proof{N: n, Size: n + 1}
	var err error
	if p.Root, err = tlog.TreeHash(p.Size, l.reader(ctx)); err != nil {
		return p, fmt.Errorf("prove log: %w", err)
	}
	if p.Proof, err = tlog.ProveRecord(p.Size, n, l.reader(ctx)); err != nil {
		return p, fmt.Errorf("prove log: %w", err)
	}
	p.Head, err = s.sign(head(p.Size, p.Root))
	return p, err
}

// check checks a proof, offline.
func (p *Proof) check(body []byte, v *Verifier) error {
	if err := v.verify(head(p.Size, p.Root), p.Head); err != nil {
		return fmt.Errorf("head of the log: %w", err)
	}
	if err := tlog.CheckRecord(p.Proof, p.Size, p.Root, p.N, tlog.RecordHash(body)); err != nil {
		return fmt.Errorf("%w: it is not in the log", ErrInvalid)
	}
	return nil
}

// Check reads the whole log and reports whether a proof still fits it: whether
// nothing was taken out of it or changed since.
func (l *Log) Check(ctx context.Context, p Proof) error {
	size, err := l.size(ctx)
	if err != nil {
		return err
	}
	if size < p.Size {
		return fmt.Errorf("%w: the log has %d leaves and had %d", ErrInvalid, size, p.Size)
	}
	var hashes []tlog.Hash
	known := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = hashes[x]
		}
		return out, nil
	})
	for n := range p.Size {
		f, err := l.read(ctx, n)
		if err != nil {
			return err
		}
		add, err := tlog.StoredHashesForRecordHash(n, f.Record, known)
		if err != nil {
			return err
		}
		hashes = append(hashes, add...)
	}
	root, err := tlog.TreeHash(p.Size, known)
	if err != nil {
		return err
	}
	if root != p.Root {
		return fmt.Errorf("%w: the log is not the one that it was added to", ErrInvalid)
	}
	return nil
}

// Ready reports whether a certificate that is added now will fit the log: whether what
// Append reads is there, and is what the latest certificate was proved by. Check reads
// all of the log.
func (l *Log) Ready(ctx context.Context) error {
	size, err := l.size(ctx)
	if err != nil || size == 0 {
		return err
	}
	if _, err := tlog.TreeHash(size, l.reader(ctx)); err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	for n := max(0, size-recent); n < size; n++ {
		if _, err := l.leaf(ctx, n); err != nil {
			return err
		}
	}
	for n := size - 1; n >= max(0, size-recent); n-- {
		f := l.leaves[n]
		raw, err := connectors.ReadAll(ctx, l.Work, f.Certificate)
		if errors.Is(err, connectors.ErrNotFound) {
			continue // a try that was killed had not written it yet
		}
		if err != nil {
			return err
		}
		c, _, err := Parse(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Certificate, err)
		}
		root, err := tlog.TreeHash(c.Log.Size, l.reader(ctx))
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if root != c.Log.Root {
			return fmt.Errorf("%w: the log is not the one that %s was added to", ErrInvalid, f.Certificate)
		}
		return nil
	}
	return nil
}

func leafKey(n int64) string { return fmt.Sprintf("%s%d.json", logDir, n) }

// size is how many leaves there are. Places are taken in order, so the highest
// number tells.
func (l *Log) size(ctx context.Context) (int64, error) {
	var size int64
	for o, err := range l.Work.List(ctx, logDir) {
		if err != nil {
			return 0, fmt.Errorf("list log: %w", err)
		}
		name, ok := strings.CutSuffix(strings.TrimPrefix(o.Key, logDir), ".json")
		if n, err := strconv.ParseInt(name, 10, 64); ok && err == nil {
			size = max(size, n+1)
		}
	}
	return size, nil
}

// leaf reads a leaf once.
func (l *Log) leaf(ctx context.Context, n int64) (leaf, error) {
	if f, ok := l.leaves[n]; ok {
		return f, nil
	}
	f, err := l.read(ctx, n)
	if err != nil {
		return f, err
	}
	l.know(f)
	return f, nil
}

func (l *Log) know(f leaf) {
	if l.leaves == nil {
		l.leaves = map[int64]leaf{}
	}
	l.leaves[f.N] = f
}

func (l *Log) read(ctx context.Context, n int64) (leaf, error) {
	var f leaf
	b, err := connectors.ReadAll(ctx, l.Work, leafKey(n))
	if errors.Is(err, connectors.ErrNotFound) {
		return f, fmt.Errorf("%w: leaf %d of the log is missing", ErrInvalid, n)
	}
	if err != nil {
		return f, err
	}
	if json.Unmarshal(b, &f) != nil || f.N != n {
		return f, fmt.Errorf("%w: leaf %d of the log cannot be read", ErrInvalid, n)
	}
	return f, nil
}

// reader reads hashes of the tree from the leaves that added them.
func (l *Log) reader(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			n := int64(sort.Search(int(x)+1, func(n int) bool { return tlog.StoredHashCount(int64(n)+1) > x }))
			f, err := l.leaf(ctx, n)
			if err != nil {
				return nil, err
			}
			at := x - tlog.StoredHashCount(n)
			if at >= int64(len(f.Hashes)) {
				return nil, fmt.Errorf("%w: leaf %d of the log lacks a hash", ErrInvalid, n)
			}
			out[i] = f.Hashes[at]
		}
		return out, nil
	})
}
