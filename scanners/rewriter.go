package scanners

import (
	"context"
	"errors"
	"io"
	"strings"
)

// Rewriter is a Scanner that can copy an object without some of its records, or
// with some of them emptied. What it returns is laid over the source and scanned
// again before anything in the store changes: a Rewriter is not trusted.
// The laws that bind every implementation are tests in scantest.
type Rewriter interface {
	Scanner
	// Rewrite plans a copy of the whole object in (whose Part and Every are
	// ignored) after edits, which are ascending by Record, each record once.
	// Bytes that stay are named in the result, bytes that are new are written to
	// spool, which Rewrite only ever appends to. It calls check, in order, with
	// each record it is about to edit, as Scan would emit it under Every; an error
	// of check ends the rewrite and is returned as it is, and so is one of spool. An
	// edit of a record that does not exist is ErrNoRecord. Errors about the object
	// are *Refusal, also where the format has no form for what an edit asks for.
	//
	// Records without an edit stay byte for byte (line formats, with line ends,
	// byte order mark, header and a missing final line end) or value for value in
	// the same schema and codec (columnar formats, whose untouched row groups or
	// blocks stay byte for byte). The compression of the object stays what it is:
	// gzip members and zstd frames without an edit are pieces of the source, too.
	// An object whose records all go keeps a valid empty form. Nothing that goes is
	// ever written to spool; what is there may be more than the pieces name.
	Rewrite(ctx context.Context, in Input, edits []Edit, spool io.Writer, check func(*Record) error) (Rewritten, error)
}

// Edit says what becomes of one record.
//
// Redact empties every leaf that Keep does not name: JSON scalars become null, CSV
// cells empty, a line of text becomes Redacted, Avro and Parquet values null where
// the schema allows it, else their type's empty value. Objects, lists and maps stay
// with all their members, and so do keys. JSON in a string is gone into, as far as
// paths do. Bytes of the record beside the emptied values stay as they are.
type Edit struct {
	Record int64    // ordinal in the object
	Redact bool     // empty it but for Keep; else the record goes
	Keep   []string // paths of leaves that stay, and of objects or lists that stay whole; "{}" stands for any key

	// Spans, if it is set, is asked about each leaf that Redact would empty, with its
	// path and value as the record's leaves have them, and about each key outside of
	// Keep (its path ends in "{}"). ok: Redacted takes the place of these spans in a text, and all
	// else in it stays; a leaf that is no text stays whole where there are none, and else
	// is emptied. Not ok: the leaf is emptied, or the key stays, whole.
	// Spans are ascending and disjoint; others are taken for one of the whole text.
	Spans func(path string, text []byte) (spans []Span, ok bool)
}

// Spares reports whether a leaf that is no text stays, though Keep does not name it,
// since Spans has nothing in it.
func (e *Edit) Spares(path string, value []byte) bool {
	if e.Spans == nil {
		return false
	}
	spans, ok := e.Spans(path, value)
	return ok && len(spans) == 0
}

// Keeps reports whether Keep names the leaf at path, or what it lies in. A key with
// dots of its own is read as a path, here and by every Rewriter: who keeps "a" keeps
// "a.b", whichever of the two it is.
func (e *Edit) Keeps(path string) bool {
	for _, k := range e.Keep {
		if k != "" && within(k, path) {
			return true
		}
	}
	return false
}

// within reports whether path is k, or goes on below it.
func within(k, path string) bool {
	for k != "" {
		if rest, ok := strings.CutPrefix(strings.TrimPrefix(k, "."), "{}"); ok {
			path = strings.TrimPrefix(path, ".")
			if below, ok := strings.CutPrefix(path, "{}"); ok && within(rest, below) {
				return true
			}
			for i := range len(path) + 1 { // a key may have dots and brackets
				if i > 0 && (i == len(path) || strings.IndexByte(".[{", path[i]) >= 0) && path[0] != '[' && within(rest, path[i:]) {
					return true
				}
			}
			return false
		}
		if path == "" || path[0] != k[0] {
			return false
		}
		k, path = k[1:], path[1:]
	}
	return path == "" || strings.IndexByte(".[{", path[0]) >= 0
}

// Span is the run text[Start:End] of a text.
type Span struct{ Start, End int }

// Redacted is what takes the place of text where nothing would say too little.
const Redacted = "[redacted]"

// Errors of Rewrite that are about its edits, and not about the object.
var (
	ErrNoRecord = errors.New("record does not exist")
	ErrEdits    = errors.New("edits are not ascending, or name a record twice")
)

// Rewritten is the object's new content in terms of the old.
type Rewritten struct {
	Pieces   []Piece // in order
	Records  int64   // records of the source
	Erased   int64   // of these, gone
	Redacted int64   // of these, emptied but for what their edits keep
}

// Piece is a run of bytes of the source as stored, or of what was written to the spool.
type Piece struct {
	Spool    bool
	Off, Len int64
}
