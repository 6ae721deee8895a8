//go:build !purego

package identity

import "golang.org/x/sys/cpu"

var useAVX2 = cpu.X86.HasAVX2

// layoutAVX2 lays out n blocks of 64 bytes. The words of a class begin at out, those of
// the next class stride bytes later, in the order of the lanes.
//
//go:noescape
func layoutAVX2(b *byte, n int, out *uint64, stride int)

// specialAVX2 marks what the decoder looks at in n blocks of 64 bytes.
//
//go:noescape
func specialAVX2(b *byte, n int, out *uint64)

func (l *layout) blocks(b []byte, k int) {
	if !useAVX2 {
		l.plainBlocks(b, k)
	} else if len(b) > 0 {
		layoutAVX2(&b[0], len(b)/64, &l.word[k], 8*l.stride)
	}
}

func (p places) special(b []byte, k int) {
	if !useAVX2 {
		p.plainSpecial(b, k)
	} else if len(b) > 0 {
		specialAVX2(&b[0], len(b)/64, &p[k])
	}
}
