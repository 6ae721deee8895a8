package parquet

import (
	"slices"
	"testing"
)

func TestHybrid(t *testing.T) {
	for name, test := range map[string]struct {
		b    []byte
		n    int
		want []uint32 // nil: an error
	}{
		"run":                        {[]byte{3 << 1, 7}, 3, []uint32{7, 7, 7}},
		"packed":                     {[]byte{1<<1 | 1, 0x88, 0xc6, 0xfa}, 8, []uint32{0, 1, 2, 3, 4, 5, 6, 7}},
		"packed, last group cut":     {[]byte{1<<1 | 1, 0x88, 0xc6}, 5, []uint32{0, 1, 2, 3, 4}},
		"packed, padded to 32":       {append([]byte{4<<1 | 1, 0x88, 0xc6, 0xfa}, make([]byte, 9)...), 5, []uint32{0, 1, 2, 3, 4}},
		"packed, too short":          {[]byte{1<<1 | 1, 0x88}, 8, nil},
		"packed, more than is there": {[]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0x88}, 5, nil},
		"no group":                   {[]byte{1}, 5, nil},
		"run too long":               {[]byte{4 << 1, 7}, 3, nil},
		"nothing":                    {nil, 1, nil},
	} {
		got, err := hybrid[uint32](nil, test.b, test.n, 3)
		if (err == nil) != (test.want != nil) || err == nil && !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
