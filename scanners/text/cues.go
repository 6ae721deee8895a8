package text

import (
	"bytes"
	"regexp"
)

var (
	signature = regexp.MustCompile(`^WEBVTT([ \t]|$)`)
	timing    = regexp.MustCompile(`^[ \t]*(\d+:)?\d+:\d+[.,]\d+[ \t]+-->[ \t]+(\d+:)?\d+:\d+[.,]\d+`)
)

// cues tells the lines of captions (WebVTT, SubRip) that somebody says from the others. A
// cue is a timing and the lines behind it, up to a blank one; what stands between cues is
// a number, a note or a style.
type cues struct {
	captions bool
	inside   bool // of a cue
}

// begin looks at the first lines of an object, or of a part of one.
func (c *cues) begin(head []byte) {
	for line := range bytes.Lines(head[:min(len(head), headSize)]) {
		if bytes.Contains(line, []byte("-->")) && timing.Match(line) {
			c.captions = true
			return
		}
	}
}

func (c *cues) blank() { c.inside = false }

// aside reports whether the next line, which is not blank, is one that nobody says.
func (c *cues) aside(line []byte) bool {
	if !c.captions {
		return false
	}
	if bytes.Contains(line, []byte("-->")) && timing.Match(line) {
		c.inside = true
		return true
	}
	return !c.inside
}
