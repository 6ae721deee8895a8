package scanners

import (
	"context"
	"io"
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
	// of check ends the rewrite and is returned as it is. An edit of a record that
	// does not exist is an error. Errors about the object are *Refusal.
	//
	// Records without an edit stay byte for byte (line formats, with line ends,
	// byte order mark, header and a missing final line end) or value for value in
	// the same schema and codec (columnar formats, whose untouched row groups or
	// blocks stay byte for byte). The compression of the object stays what it is.
	// An object whose records all go keeps a valid empty form.
	Rewrite(ctx context.Context, in Input, edits []Edit, spool io.Writer, check func(*Record) error) (Rewritten, error)
}

// Edit says what becomes of one record.
type Edit struct {
	Record int64    // ordinal in the object
	Redact bool     // empty it but for Keep; else the record goes
	Keep   []string // paths of leaves that stay, and of objects or lists that stay whole
}

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
