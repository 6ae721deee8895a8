//go:build !amd64 || purego

package identity

func (l *layout) blocks(b []byte, k int) { l.plainBlocks(b, k) }

func (p places) special(b []byte, k int) { p.plainSpecial(b, k) }
