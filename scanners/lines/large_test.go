package lines

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// Large lines are asked for before they are held, once, and a refusal ends the reading;
// lines of a usual size ask for nothing, however many there are.
func TestLargeIsAskedFor(t *testing.T) {
	refused := errors.New("no room")
	usual := bytes.Repeat(append(bytes.Repeat([]byte("a"), 1<<20), '\n'), 12)
	large := append(bytes.Repeat([]byte("b"), Large+1<<20), '\n')
	for name, c := range map[string]struct {
		data []byte
		asks int
		err  error
	}{
		"usual":      {usual, 0, nil},
		"large":      {append(bytes.Clone(usual), large...), 1, nil},
		"large ones": {append(bytes.Clone(large), large...), 1, nil},
		"refused":    {append(bytes.Clone(usual), large...), 1, refused},
	} {
		asks := 0
		ask := func() error { asks++; return c.err }
		r := New(&fixed{c.data, 256 << 10}, 0)
		r.Large = ask
		var got []byte
		var err error
		for err == nil {
			var b Block
			b, err = r.Next()
			got = append(got, b.Data...)
		}
		if c.err == nil && (err != io.EOF || !bytes.Equal(got, c.data)) || c.err != nil && !errors.Is(err, refused) || asks != c.asks {
			t.Errorf("%s: %d bytes of %d, asked %d times, %v", name, len(got), len(c.data), asks, err)
		}

		asks, err = 0, nil
		w := NewWindow(&fixed{c.data, 256 << 10}, 0)
		w.Large = ask
		for err == nil {
			err = w.Fill()
			if i := bytes.LastIndexByte(w.Data, '\n'); i >= 0 {
				w.Drop(i + 1)
			}
		}
		if c.err == nil && (err != io.EOF || w.Off != int64(len(c.data))) || c.err != nil && !errors.Is(err, refused) || asks != c.asks {
			t.Errorf("%s: window at %d of %d, asked %d times, %v", name, w.Off, len(c.data), asks, err)
		}
	}
}
