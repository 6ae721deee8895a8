package bundle

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"expunge/connectors"
	"expunge/pipeline/spool"
	"expunge/scanners"
)

// Codes of whole objects that could not be read when the bundle was written, as
// scans call them.
const (
	Vanished   = "VANISHED"
	Changed    = "CHANGED"
	Denied     = "DENIED"
	Archived   = "ARCHIVED"
	Unreadable = "UNREADABLE"
)

// Others is the code of records that are left out of an object, since they are of
// other people.
const Others = "OTHERS"

// object copies a whole object into the bundle. The search has vouched for it; if
// it cannot be read any more, it is withheld, and the bundle has the rest.
func (w *writer) object(row Row, names map[string]int) error {
	path := "files/" + row.Found.Dataset + "/" + row.Object.ID
	if names[path]++; names[path] > 1 { // further versions of one key
		path += "-" + strconv.Itoa(names[path])
	}
	path += extension(row.Object)
	if x, ok := w.withheldBefore(path); ok {
		w.missing(x)
		return nil
	}
	body := new(spool.Buffer)
	defer body.Close()
	others, failed, err := w.fetch(row, body)
	if err != nil {
		return err
	}
	if failed != nil {
		if f, ok := w.storedBefore(path); ok { // an earlier try of this run could read it
			for _, x := range w.before.Withheld {
				if x.Code == Others && x.Object == f.Object {
					w.index.Withheld = append(w.index.Withheld, x)
				}
			}
			w.index.Files = append(w.index.Files, f)
			return nil
		}
		code, reason := unreadable(failed)
		w.missing(Withheld{Dataset: row.Found.Dataset, Path: path, Object: shown(row.Object), Code: code, Reason: reason, Count: 1})
		return nil
	}
	f, err := w.put(path, body)
	if err != nil {
		return err
	}
	if others > 0 {
		w.index.Withheld = append(w.index.Withheld, Withheld{Dataset: row.Found.Dataset, Object: shown(row.Object), Code: Others, Count: others,
			Reason: "records of other people in an object that is named after the consumer"})
	}
	f.Object = shown(row.Object)
	w.index.Files = append(w.index.Files, f)
	return nil
}

func (w *writer) missing(x Withheld) {
	w.index.Withheld = append(w.index.Withheld, x)
	w.result.Missing++
}

// fetch reads an object into body, and counts what is left out of it. failed is what the
// lake's store says against it; err is what is wrong with anything else.
func (w *writer) fetch(row Row, body *spool.Buffer) (others int64, failed, err error) {
	src, others, failed := w.Open(w.ctx, row)
	if failed == nil {
		defer src.Close()
		read := &reader{r: src}
		if _, err := io.Copy(body, read); err != nil && read.err == nil {
			return others, nil, fmt.Errorf("copy object %s: %w", row.Object.ID, err)
		}
		failed = read.err
	}
	return others, failed, w.ctx.Err()
}

// reader keeps the error of reading apart from that of writing.
type reader struct {
	r   io.Reader
	err error
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// withheldBefore is what an earlier try of this run said of an object that it
// could not read: it stays so for this run, so that tries are not mixed.
func (w *writer) withheldBefore(path string) (Withheld, bool) {
	if w.before == nil {
		return Withheld{}, false
	}
	i := slices.IndexFunc(w.before.Withheld, func(x Withheld) bool { return x.Path == path })
	if i < 0 {
		return Withheld{}, false
	}
	return w.before.Withheld[i], true
}

// storedBefore is a file that an earlier try of this run has stored. Like all
// files, it is read back before the bundle is done.
func (w *writer) storedBefore(path string) (File, bool) {
	if w.before == nil {
		return File{}, false
	}
	i := slices.IndexFunc(w.before.Files, func(f File) bool { return f.Path == w.seal.stored(path) })
	if i < 0 {
		return File{}, false
	}
	return w.before.Files[i], true
}

// unreadable says why an object could not be read, without the store's own words:
// they name its key, which may hold an identifier.
func unreadable(err error) (code, reason string) {
	for _, c := range []struct {
		err          error
		code, reason string
	}{
		{connectors.ErrNotFound, Vanished, "it is gone since it was found"},
		{connectors.ErrChanged, Changed, "another version has taken its place since it was found"},
		{connectors.ErrDenied, Denied, "the store refuses to give it"},
		{connectors.ErrArchived, Archived, "it has to be restored from the archive first"},
	} {
		if errors.Is(err, c.err) {
			return c.code, c.reason
		}
	}
	if r := (*scanners.Refusal)(nil); errors.As(err, &r) {
		return string(r.Code), "it cannot be read as records, or written without those of others in it"
	}
	return Unreadable, "the store does not give it"
}

// codes counts the whole objects that are withheld by their codes, for people.
func codes(withheld []Withheld) string {
	n := map[string]int{}
	for _, x := range withheld {
		if x.Path != "" {
			n[x.Code]++
		}
	}
	var out []string
	for code, k := range n {
		out = append(out, fmt.Sprintf("%d %s", k, code))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
