package erase

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"

	"expunge/connectors"
	"expunge/pipeline/journal"
	"expunge/pipeline/manifest"
)

var errTable = errors.New("it belongs to a table whose files are named by a log of commits: erase it with the table's own engine")

// tables remembers which directories of a store are roots of a table.
type tables struct {
	mu   sync.Mutex
	root map[[2]string]bool
}

// inTable reports whether a key lies below the root of a Delta, Hudi or Iceberg
// table: a file changed behind its commits breaks the table, and its older
// snapshots would bring the records back.
func (e *Erase) inTable(ctx context.Context, t *manifest.Target) (bool, error) {
	for i := range len(t.Key) + 1 {
		if i > 0 && t.Key[i-1] != '/' {
			continue
		}
		is, err := e.tables.isRoot(ctx, t.Store, e.Stores[t.Store], t.Key[:i])
		if is || err != nil {
			return is, err
		}
	}
	return false, nil
}

func (s *tables) isRoot(ctx context.Context, name string, store connectors.Store, dir string) (bool, error) {
	at := [2]string{name, dir}
	s.mu.Lock()
	is, known := s.root[at]
	s.mu.Unlock()
	if known {
		return is, nil
	}
	for _, below := range []string{"_delta_log/", ".hoodie/", "metadata/"} {
		for o, err := range store.List(ctx, dir+below) {
			if err != nil {
				return false, err
			}
			if is = below != "metadata/" || icebergMetadata(o.Key[len(dir+below):]); is {
				break
			}
		}
		if is {
			break
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root == nil {
		s.root = map[[2]string]bool{}
	}
	s.root[at] = is
	return is, nil
}

func icebergMetadata(name string) bool {
	name = strings.TrimSuffix(name, ".gz")
	return !strings.Contains(name, "/") && (strings.HasSuffix(name, ".metadata.json") || name == "version-hint.text")
}

// refuse leaves a key as it is: what is asked of each of its versions ends so.
// What an earlier try brought to its end stays as it was.
func (e *Erase) refuse(ctx context.Context, t *manifest.Target, why error) ([]op, error) {
	var ops []op
	for i := range t.Versions {
		v := &t.Versions[i]
		asked := judge(v, t)
		o := op{ref: v.Ref, entry: journal.Entry{Object: t.ID, Version: v.Version, ETag: v.ETag, Act: journal.Replace, Rows: digestRows(v.Rows)}}
		switch {
		case !asked.whole && len(asked.edits) == 0:
			continue
		case v.Noncurrent:
			o.entry.Act = journal.DeleteVersion
		case asked.whole:
			o.entry.Act = journal.Delete
		}
		moved := o.entry.Place()
		moved.Act = journal.Move
		if done := cmp.Or(e.Past.Final(o.entry.Place()), e.Past.Final(moved)); done != nil {
			o.entry, o.settled, o.known = *done, true, true
		} else if errors.Is(why, errTable) {
			o.settle(journal.Refused, why.Error())
		} else if err := o.refusal(ctx, why); err != nil {
			return nil, err
		}
		ops = append(ops, o)
	}
	return ops, nil
}
