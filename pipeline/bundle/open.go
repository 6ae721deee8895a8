package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"expunge/connectors"
	"expunge/pipeline"
	"expunge/pipeline/seal"
)

// Bundle is a stored bundle that is read.
type Bundle struct {
	Index Index
	work  connectors.Store
	dir   string
	seal  *sealer // nil: it is in clear
}

// supplements is the folder of what was found once records of a bundle were erased.
const supplements = "supplements/"

// Dir is where the bundle of a request is, and all that supplements it.
func Dir(ref pipeline.RequestRef) string { return "bundles/" + ref.Account + "/" + ref.ID + "/" }

// dirOf is where the bundle of a request is, or its supplement after a run that erased.
func dirOf(ref pipeline.RequestRef, after string) string {
	if after == "" {
		return Dir(ref)
	}
	return Dir(ref) + supplements + after + "/"
}

// requestOf is the request whose bundle.json lies under key.
func requestOf(key string) (pipeline.RequestRef, error) {
	name, below := strings.CutPrefix(key, "bundles/")
	parts := strings.Split(name, "/")
	if n := len(parts); below && local(name) && parts[n-1] == indexName && (n == 3 || n == 5 && parts[2]+"/" == supplements) {
		return pipeline.ParseRequestRef(parts[0] + "/" + parts[1])
	}
	return pipeline.RequestRef{}, fmt.Errorf("%s is no bundle.json of a request", key)
}

// All opens the bundles of a request: first that of the run before anything was
// erased, then what supplements it in the order of their runs. None: it is empty.
func All(ctx context.Context, work connectors.Store, keys *seal.Keys, ref pipeline.RequestRef) ([]*Bundle, error) {
	var found []string
	for o, err := range work.List(ctx, Dir(ref)) {
		if err != nil {
			return nil, fmt.Errorf("list bundles of %s: %w", ref, err)
		}
		if _, err := requestOf(o.Key); err == nil {
			found = append(found, o.Key)
		}
	}
	var out []*Bundle
	for _, key := range found {
		b, err := Open(ctx, work, keys, key)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b *Bundle) int {
		if a.Supplement() == "" || b.Supplement() == "" {
			return strings.Compare(a.Supplement(), b.Supplement())
		}
		return strings.Compare(a.Index.Run, b.Index.Run)
	})
	return out, nil
}

// Open reads the bundle.json under key, connectors.ErrNotFound where there is
// none. It must be authentic, else seal.ErrForged.
func Open(ctx context.Context, work connectors.Store, keys *seal.Keys, key string) (*Bundle, error) {
	index, s, err := readIndex(ctx, work, keys, key)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Index: *index, work: work, dir: strings.TrimSuffix(key, indexName), seal: s}
	for _, f := range index.Files {
		if !local(f.Path) {
			return nil, fmt.Errorf("read %s: %q is no path within the bundle: %w", b.dir+indexName, f.Path, seal.ErrForged)
		}
	}
	return b, nil
}

// local reports whether a path stays within its bundle.
func local(p string) bool {
	return p != "" && p == path.Clean(p) && !path.IsAbs(p) && p != ".." && !strings.HasPrefix(p, "../") && !strings.Contains(p, `\`)
}

// readIndex reads a bundle.json, and finds the key of a sealed bundle.
func readIndex(ctx context.Context, work connectors.Store, keys *seal.Keys, key string) (*Index, *sealer, error) {
	ref, err := requestOf(key)
	if err != nil {
		return nil, nil, err
	}
	raw, err := connectors.ReadAll(ctx, work, key)
	if err != nil {
		return nil, nil, err
	}
	index := new(Index)
	if err := keys.Read(document(ref, key), raw, index); err != nil {
		return nil, nil, err
	}
	switch index.Encryption {
	case Unsealed:
		return index, nil, nil
	case SealedParquet:
		s, err := newSealer(keys, ref.Account, ref.ID, index.Run, index.KeyID)
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", key, err)
		}
		return index, s, nil
	}
	return nil, nil, fmt.Errorf("read %s: its encryption %q cannot be opened", key, index.Encryption)
}

// Check reads the bundles of a request back: that one of them is what run wrote, else
// ErrOther, that each bundle.json is authentic and every file is there, byte for byte,
// and that what is sealed opens.
// Before that nothing of a request that asks for both is erased.
func Check(ctx context.Context, work connectors.Store, keys *seal.Keys, ref pipeline.RequestRef, run string) error {
	all, err := All(ctx, work, keys, ref)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("%s: %w", Dir(ref)+indexName, connectors.ErrNotFound)
	}
	written := false
	for _, b := range all {
		written = written || b.Index.Run == run
		for _, f := range b.Index.Files {
			if err := verify(ctx, work, b.dir, f, b.seal); err != nil {
				return err
			}
		}
	}
	if !written {
		return fmt.Errorf("%s: %w %s", Dir(ref), ErrOther, run)
	}
	return nil
}

// ErrOther is what Check finds where bundles are whole, and all of other runs.
var ErrOther = errors.New("no bundle in there is of run")

// Dir is where in the work store the bundle is.
func (b *Bundle) Dir() string { return b.dir }

// Supplement is where a supplement is handed over below its request's bundle, "" for
// the bundle itself.
func (b *Bundle) Supplement() string {
	if at := strings.LastIndex(b.dir, "/"+supplements); at >= 0 {
		return b.dir[at+1:]
	}
	return ""
}

// Key is the key of the sealed tables, 32 bytes in base64, and what outputs call
// it. A bundle in clear has none.
func (b *Bundle) Key() (line, id string, err error) {
	if b.seal == nil {
		return "", "", errors.New("the bundle is not sealed")
	}
	return b.seal.line(), b.seal.key.ID(), nil
}

// Path is what a file is called when it is handed over.
func (b *Bundle) Path(f File) string { return b.seal.clear(f.Path) }

// Copy writes a file in clear to w once all of it has been found to be what was
// written into the bundle; else nothing, and the error is seal.ErrForged.
func (b *Bundle) Copy(ctx context.Context, f File, w io.Writer) error {
	clear, err := fetch(ctx, b.work, b.dir, f, b.seal)
	if err != nil {
		return err
	}
	defer clear.Close()
	if isTable(f.Path) {
		if err := checkRows(clear, b.dir, f); err != nil {
			return err
		}
	}
	if _, err := clear.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(w, clear); err != nil {
		return fmt.Errorf("write %s: %w", b.dir+f.Path, err)
	}
	return nil
}

// Released is the index of the bundle in clear, without a MAC. sums are the digests of the files
// as they were handed over, in the order of Index.Files.
func (b *Bundle) Released(sums []string) ([]byte, error) {
	x := b.Index
	x.Encryption, x.KeyID, x.Files = Unsealed, "", append([]File(nil), b.Index.Files...)
	for i := range x.Files {
		x.Files[i].Path, x.Files[i].SHA256 = b.Path(x.Files[i]), sums[i]
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(&x); err != nil {
		return nil, fmt.Errorf("write bundle.json: %w", err)
	}
	return out.Bytes(), nil
}

// Earlier names the run that wrote the bundle that is there, whatever supplements it, "" if there is none.
func Earlier(ctx context.Context, work connectors.Store, keys *seal.Keys, ref pipeline.RequestRef) (string, error) {
	index, _, err := readIndex(ctx, work, keys, Dir(ref)+indexName)
	if errors.Is(err, connectors.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return index.Run, nil
}
