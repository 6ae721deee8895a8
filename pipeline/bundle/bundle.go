// Package bundle hands over what was found for one request: data as Parquet and
// JSON lines, whole objects as they are, categories, and a page for people. It
// decides neither what belongs to a request nor what is due: rows come merged and
// of automatic tiers only, and what the verification does not allow is withheld.
//
// A bundle may be sealed: tables by Parquet's own encryption, so that other programs
// read them with the request's key, and all else in boxes. bundle.json is authenticated,
// sealed or not, and has the digest of every file: what was changed is found out, and
// that a bundle is not sealed is believed of no other.
//
// Memory is bounded by the columns of one dataset and one batch of 8 MB of rows;
// files are spooled on disk.
package bundle

import (
	"bytes"
	"context"
	"io"
	"iter"
	"sort"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/results"
	"expunge/pipeline/seal"
)

// Row is a found record of one request.
type Row struct {
	Found  *results.Found
	Object pipeline.ObjectRef
}

// Withheld is what a bundle does not hold, and why.
type Withheld struct {
	Dataset  string `json:"dataset,omitempty"`
	Path     string `json:"path,omitempty"`   // that the file of a whole object would have had
	Object   string `json:"object,omitempty"` // where it lies, as outputs show it
	Category string `json:"category,omitempty"`
	Code     string `json:"code"`
	Reason   string `json:"reason"`
	Count    int64  `json:"count,omitempty"`
}

// Input is what a bundle is made of.
type Input struct {
	Run      string // that writes it
	After    string // the run that erased last for the request, if the bundle supplements an earlier one
	Request  *pipeline.Request
	Datasets []pipeline.Dataset
	// Rows are sorted by dataset name, object and record, one per record. They are
	// read twice; Found is valid until the next step.
	Rows     func() iter.Seq2[Row, error]
	Open     func(ctx context.Context, row Row) (body io.ReadCloser, others int64, err error) // the bytes of a whole object, but for so many records of others
	Withheld []Withheld
	Now      time.Time
	Zone     *time.Location // of the request's window; nil: UTC
	Keys     *seal.Keys     // bundle.json is authenticated with, and the files are sealed with
	Sealed   bool           // else the files are written in clear
}

// Result counts what was written.
type Result struct {
	Dir                string // where the bundle is
	Page               string // key of what people open, as it is stored
	Rows, Files, Bytes int64
	Missing            int64  // whole objects that could not be read; they are among what is withheld
	Bare               int64  // records of a request to know that no category is declared of
	Why                string // they are missing: "2 VANISHED"
	Superseded         string // the run whose bundle of this request was there before, if any
}

// File is a file of a bundle.
type File struct {
	Path   string  `json:"path"`
	SHA256 string  `json:"sha256"`
	Rows   int64   `json:"rows"`
	Schema []Field `json:"schema,omitempty"`
	Object string  `json:"object,omitempty"` // where a whole object lay

	size int64
}

// Field is a column of a file.
type Field struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Index is bundle.json.
type Index struct {
	Version    int        `json:"version"`
	Run        string     `json:"run"`
	After      string     `json:"after,omitempty"` // of a supplement: the run that had erased last
	Request    string     `json:"request"`
	Account    string     `json:"account"`
	Encryption string     `json:"encryption"`       // SealedParquet or Unsealed
	KeyID      string     `json:"key_id,omitempty"` // that it is sealed with
	Files      []File     `json:"files"`
	Withheld   []Withheld `json:"withheld"`
}

// Codes of what is withheld.
const (
	Unverified       = "UNVERIFIED"
	DeniedUnverified = "DENIED_UNVERIFIED"
	Malformed        = "MALFORMED"
	NoCategory       = "NO_CATEGORY"
)

// writer is the state of one Write.
type writer struct {
	Input
	ctx      context.Context // of this one call
	work     connectors.Store
	dir      string
	datasets map[string]*set
	before   *Index  // of an earlier try of the same run
	seal     *sealer // nil: in clear
	index    Index
	result   Result
	cats     map[string]*category
}

// set is what a bundle knows of one dataset.
type set struct {
	dataset   *pipeline.Dataset
	agent     []string
	root      column
	rows      int64 // of data
	objects   int64 // whole ones
	malformed int64
	bare      int64    // that no category is declared of
	sample    []string // the first rows as JSON
	schemas   map[string]types
}

// types are a source's: as its own names them and as the bundle does.
type types struct{ own, named *arrow.StructType }

// Write writes the bundle of a request below bundles/<account>/<request>/, with
// bundle.json last, and reads all of it back. It may be run again: what an earlier
// try has written and named in bundle.json must be what would be written now, else
// output.ErrDiffers. A bundle of another run is withdrawn before it is replaced, so
// that files of two are never one bundle.
//
// Once records of a bundle are erased it is the only copy and is replaced no more:
// what is found later goes to a supplement below supplements/<After>/. Until its own
// records are erased no other run has another After, so that supplement is replaced
// as any bundle is.
//
// A whole object that cannot be read any more is withheld and counted as Missing.
func Write(ctx context.Context, work connectors.Store, in Input) (*Result, error) {
	w := &writer{Input: in, ctx: ctx, work: work, datasets: map[string]*set{}, cats: map[string]*category{}}
	w.dir = dirOf(in.Request.Ref(), in.After)
	w.index = Index{Version: 1, Run: in.Run, After: in.After, Request: in.Request.ID, Account: in.Request.Account, Encryption: Unsealed, Files: []File{}, Withheld: append([]Withheld{}, in.Withheld...)}
	if in.Sealed {
		var err error
		if w.seal, err = newSealer(in.Keys, in.Request.Account, in.Request.ID, in.Run, ""); err != nil {
			return nil, err
		}
		w.index.Encryption, w.index.KeyID = SealedParquet, w.seal.key.ID()
	}
	pieces, cats := allowed(in.Request)
	if err := w.earlier(); err != nil {
		return nil, err
	}
	if err := w.survey(); err != nil {
		return nil, err
	}
	if pieces {
		if err := w.data(); err != nil {
			return nil, err
		}
	}
	w.withhold(pieces, cats)
	if cats {
		if err := w.categories(); err != nil {
			return nil, err
		}
	}
	if err := w.page(pieces, cats); err != nil {
		return nil, err
	}
	sort.Slice(w.index.Files, func(i, j int) bool { return w.index.Files[i].Path < w.index.Files[j].Path })
	return w.finish()
}

// allowed says what the verification permits (R12 to R14): specific pieces, which
// know and access both ask for, need the higher level, categories any. A level that is not stated does not limit.
func allowed(r *pipeline.Request) (pieces, categories bool) {
	level := r.Verification.Level
	pieces = r.WantsBundle() && (level == "" || level == "reasonably_high")
	return pieces, r.WantsBundle() && level != "none"
}

// finish verifies what is stored and writes bundle.json.
func (w *writer) finish() (*Result, error) {
	keep := map[string]bool{w.dir + indexName: true}
	for _, f := range w.index.Files {
		keep[w.dir+f.Path] = true
	}
	if err := sweep(w.ctx, w.work, w.dir, keep); err != nil {
		return nil, err
	}
	if err := w.readBack(); err != nil {
		return nil, err
	}
	b, err := w.Keys.Write(document(w.Request.Ref(), w.dir+indexName), &w.index)
	if err != nil {
		return nil, err
	}
	f, err := w.putRaw(indexName, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	if err := verify(w.ctx, w.work, w.dir, f, nil); err != nil {
		return nil, err
	}
	w.result.Dir, w.result.Page = w.dir, w.dir+w.seal.stored(Page)
	w.result.Files, w.result.Bytes = int64(len(w.index.Files))+1, f.size
	for _, f := range w.index.Files {
		w.result.Bytes += f.size
	}
	w.result.Why = codes(w.index.Withheld)
	result := w.result // a pointer into w would keep all of it
	return &result, nil
}

// bytes stores a small file.
func (w *writer) bytes(path string, b []byte) (File, error) {
	return w.put(path, bytes.NewReader(b))
}

// withhold lists what the verification does not allow.
func (w *writer) withhold(pieces, cats bool) {
	names := make([]string, 0, len(w.datasets))
	for n := range w.datasets {
		names = append(names, n)
	}
	sort.Strings(names)
	if !cats && w.Request.WantsBundle() {
		w.index.Withheld = append(w.index.Withheld, Withheld{Code: DeniedUnverified, Reason: "the account could not verify who asked"})
	}
	for _, n := range names {
		s := w.datasets[n]
		if w.Request.WantsBundle() && !pieces && cats {
			w.index.Withheld = append(w.index.Withheld, Withheld{Dataset: n, Code: Unverified, Count: s.rows + s.objects,
				Reason: "specific pieces need verification to a reasonably high degree of certainty"})
		}
		if w.Request.Has(pipeline.Know) && cats && s.bare > 0 {
			w.result.Bare += s.bare
			w.index.Withheld = append(w.index.Withheld, Withheld{Dataset: n, Code: NoCategory, Count: s.bare,
				Reason: "no statutory category is declared of these records, so that what is said of categories is not all (R22): declare it and run again"})
		}
		if pieces && s.malformed > 0 {
			w.index.Withheld = append(w.index.Withheld, Withheld{Dataset: n, Code: Malformed, Count: s.malformed,
				Reason: "the content of these records cannot be read; the rows say only where they are"})
		}
	}
	if w.Request.WantsBundle() && !pieces && cats && len(names) == 0 {
		w.index.Withheld = append(w.index.Withheld, Withheld{Code: Unverified, Reason: "specific pieces need verification to a reasonably high degree of certainty"})
	}
}
