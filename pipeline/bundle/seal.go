package bundle

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"expunge/pipeline"
	"expunge/pipeline/output"
	"expunge/pipeline/seal"
	"expunge/pipeline/spool"
)

// Purposes of keys. Each request has its own of either: the ref of the request
// stands where keys have an account.
const (
	keyPurpose   = "bundle"       // of tables, boxes and bundle.json
	noncePurpose = "bundle nonce" // of synthetic nonces, and of what binds a table to its place
)

// boxed is what the names of sealed files end in that are not Parquet.
const boxed = ".sealed"

// Encryptions of a bundle.
const (
	SealedParquet = "parquet"
	Unsealed      = "none"
)

// A boxed file is a row of frames, each a length (4 bytes, big-endian) and a box
// of seal. A box is bound to the run, the path in the bundle, the frame's number
// and whether it is the last, so that frames cannot be left out, doubled, moved
// or put in another file. Memory is that of two frames.
const (
	frameSize = 1 << 20
	maxBox    = frameSize + seal.Overhead
)

// sealer seals and opens the files of one request's bundle, as one run writes it.
type sealer struct {
	keys       *seal.Keys
	ref, run   string
	key, nonce *seal.Key
}

// newSealer is a sealer under the key that id names ("": the current one).
func newSealer(keys *seal.Keys, account, request, run, id string) (*sealer, error) {
	s := &sealer{keys: keys, ref: account + "/" + request, run: run}
	all, nonces := keys.All(keyPurpose, s.ref), keys.All(noncePurpose, s.ref)
	for i, key := range all {
		if id == "" || key.ID() == id {
			s.key, s.nonce = key, nonces[i]
			return s, nil
		}
	}
	return nil, fmt.Errorf("bundle of %s: it was sealed with key %s, which is of none of the work keys (after a rotation name the old one in work.old_key_envs): %w",
		s.ref, id, seal.ErrForged)
}

// isTable reports whether a file of a bundle is one of our own Parquet files; whole
// objects may be Parquet, too.
func isTable(path string) bool {
	return !strings.HasPrefix(path, "files/") && strings.HasSuffix(path, ".parquet")
}

// stored is the path that a file has in the work store.
func (s *sealer) stored(path string) string {
	if s == nil || isTable(path) {
		return path
	}
	return path + boxed
}

// clear is the path that a stored file has when it is handed over.
func (s *sealer) clear(path string) string {
	if s == nil || isTable(path) {
		return path
	}
	return strings.TrimSuffix(path, boxed)
}

// modular seals the table under path.
func (s *sealer) modular(path string) (*modular, error) {
	h := s.nonce.Hasher()
	for _, text := range []string{"table", s.run, path} {
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
		_, _ = h.Write([]byte(text))
	}
	unique := h.Sum128()
	// The form in which Spark and pyarrow hand a key's name to a KMS client. The key
	// is not in the file, wrapped or otherwise: it derives from the work key.
	meta, err := json.Marshal(map[string]any{
		"keyMaterialType": "PKMT1", "internalStorage": true, "isFooterKey": true, "kmsInstanceID": "expunge", "kmsInstanceURL": "DEFAULT",
		"masterKeyID": s.key.ID(), "wrappedDEK": s.ref, "doubleWrapping": false,
	})
	if err != nil {
		return nil, fmt.Errorf("name key: %w", err)
	}
	return newModular(s.key, s.nonce, unique[:], meta), nil
}

// seal gives the bytes to store of a file in clear.
func (s *sealer) seal(path string, body output.Body) (*spool.Buffer, error) {
	size, err := body.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = body.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", path, err)
	}
	out := new(spool.Buffer)
	if isTable(path) {
		var m *modular
		if m, err = s.modular(path); err == nil {
			err = m.sealTable(out, body, size)
		}
	} else {
		err = s.box(path, out, body)
	}
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("seal %s: %w", path, err)
	}
	return out, nil
}

// open writes a stored file to w in clear. path is that in clear.
func (s *sealer) open(path string, w io.Writer, body *spool.Buffer) error {
	var err error
	if isTable(path) {
		var m *modular
		if m, err = s.modular(path); err == nil {
			err = m.openTable(w, body, body.Size())
		}
	} else {
		err = s.unbox(path, w, body)
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	return nil
}

func (s *sealer) place(path string, n int, last bool) []string {
	kind := "frame"
	if last {
		kind = "end"
	}
	return []string{s.run, path, kind, strconv.Itoa(n)}
}

func (s *sealer) box(path string, w io.Writer, r io.Reader) error {
	in := bufio.NewReaderSize(r, frameSize)
	for n := 0; ; n++ {
		frame, err := in.Peek(frameSize)
		if err != nil && err != io.EOF {
			return fmt.Errorf("read: %w", err)
		}
		plain := append([]byte(nil), frame...)
		_, _ = in.Discard(len(plain))
		_, err = in.Peek(1)
		last := err == io.EOF
		if err != nil && !last {
			return fmt.Errorf("read: %w", err)
		}
		box := s.keys.Seal(keyPurpose, s.ref, plain, s.place(path, n, last)...)
		if _, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(box))), box...)); err != nil {
			return err
		}
		if last {
			return nil
		}
	}
}

func (s *sealer) unbox(path string, w io.Writer, r io.Reader) error {
	in := bufio.NewReader(r)
	for n := 0; ; n++ {
		var head [4]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return fmt.Errorf("frame %d: it is cut off: %w", n, errors.Join(err, seal.ErrForged))
		}
		size := binary.BigEndian.Uint32(head[:])
		if size > maxBox {
			return fmt.Errorf("frame %d of %d bytes: %w", n, size, seal.ErrForged)
		}
		box, err := readN(in, int64(size))
		if err != nil {
			return fmt.Errorf("frame %d: it is cut off: %w", n, errors.Join(err, seal.ErrForged))
		}
		_, err = in.Peek(1)
		last := err == io.EOF
		if err != nil && !last {
			return fmt.Errorf("read: %w", err)
		}
		plain, err := s.keys.Unseal(keyPurpose, s.ref, box, s.place(path, n, last)...)
		if err != nil {
			return fmt.Errorf("frame %d: %w", n, err)
		}
		if _, err := w.Write(plain); err != nil {
			return err
		}
		if last {
			return nil
		}
	}
}

// document is a bundle.json, authenticated under the request's key.
func document(ref pipeline.RequestRef, file string) seal.Document {
	return seal.Document{Purpose: keyPurpose, Account: ref.String(), File: file}
}

// line is the key of the tables as other programs take it.
func (s *sealer) line() string { return base64.StdEncoding.EncodeToString(s.key.Bytes()) }
