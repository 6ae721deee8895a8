package spool

import (
	"fmt"
	"strconv"

	"expunge/pipeline/seal"
)

// Box seals files of one purpose in the work store. A nil Box leaves them in clear.
type Box struct {
	Keys    *seal.Keys
	Purpose string
}

// File is the file under key in the work store. Each of its frames is bound to
// that key, to its number and to whether it is the last: so who can write there
// can neither put a file in another's place (the key names run, round, batch and
// what is in it) nor leave out, double or reorder frames.
func (b *Box) File(key string) *File {
	if b == nil {
		return nil
	}
	return &File{b, key}
}

// File is a file whose frames are sealed.
type File struct {
	box *Box
	key string
}

func (f *File) place(n int, last bool) []string {
	kind := "frame"
	if last {
		kind = "end"
	}
	return []string{f.key, kind, strconv.Itoa(n)}
}

func (f *File) seal(n int, last bool, plain []byte) []byte {
	return f.box.Keys.Seal(f.box.Purpose, "", plain, f.place(n, last)...)
}

func (f *File) open(n int, last bool, box []byte) ([]byte, error) {
	plain, err := f.box.Keys.Unseal(f.box.Purpose, "", box, f.place(n, last)...)
	if err != nil {
		return nil, fmt.Errorf("open frame %d of %s: %w", n, f.key, err)
	}
	return plain, nil
}
