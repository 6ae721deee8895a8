package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
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

// dirOf is where the bundle of a request is.
func dirOf(ref pipeline.RequestRef) string { return "bundles/" + ref.Account + "/" + ref.ID + "/" }

// Open reads the index of a request's bundle, connectors.ErrNotFound where there is
// none. That of a sealed bundle must be authentic, else seal.ErrForged.
func Open(ctx context.Context, work connectors.Store, keys *seal.Keys, ref pipeline.RequestRef) (*Bundle, error) {
	index, s, err := readIndex(ctx, work, keys, ref)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Index: *index, work: work, dir: dirOf(ref), seal: s}
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

// readIndex reads bundle.json, and finds the key of a sealed bundle.
func readIndex(ctx context.Context, work connectors.Store, keys *seal.Keys, ref pipeline.RequestRef) (*Index, *sealer, error) {
	key := dirOf(ref) + indexName
	raw, err := connectors.ReadAll(ctx, work, key)
	if err != nil {
		return nil, nil, err
	}
	index := new(Index)
	if err := json.Unmarshal(raw, index); err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", key, err)
	}
	if index.Encryption == Unsealed || index.Encryption == "" { // older ones do not say
		return index, nil, nil
	}
	if index.Encryption != SealedParquet || keys == nil {
		return nil, nil, fmt.Errorf("read %s: its encryption %q cannot be opened", key, index.Encryption)
	}
	s, err := newSealer(keys, ref.Account, ref.ID, index.Run, index.KeyID)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", key, err)
	}
	index = new(Index)
	if err := keys.Read(s.document(key), raw, index); err != nil {
		return nil, nil, err
	}
	return index, s, nil
}

// Check reads a request's bundle back: that it is the one that run wrote, that
// every file of it is there, byte for byte, and that what is sealed opens. Before
// that nothing of a request that asks for both is erased.
func Check(ctx context.Context, work connectors.Store, keys *seal.Keys, ref pipeline.RequestRef, run string) error {
	b, err := Open(ctx, work, keys, ref)
	if err != nil {
		return err
	}
	if b.Index.Run != run {
		return fmt.Errorf("%s is of run %s", b.dir+indexName, b.Index.Run)
	}
	for _, f := range b.Index.Files {
		if err := verify(ctx, work, b.dir, f, b.seal); err != nil {
			return err
		}
	}
	return nil
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

// Released is the index of the bundle in clear. sums are the digests of the files
// as they were handed over, in the order of Index.Files.
func (b *Bundle) Released(sums []string) ([]byte, error) {
	x := b.Index
	x.Encryption, x.KeyID, x.Files = Unsealed, "", append([]File(nil), b.Index.Files...)
	for i := range x.Files {
		x.Files[i].Path, x.Files[i].SHA256 = b.Path(x.Files[i]), sums[i]
	}
	return x.encode(nil, indexName)
}

// Earlier names the run that wrote the bundle that is there, "" if there is none.
func Earlier(ctx context.Context, work connectors.Store, keys *seal.Keys, ref pipeline.RequestRef) (string, error) {
	index, _, err := readIndex(ctx, work, keys, ref)
	if errors.Is(err, connectors.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return index.Run, nil
}
