package text

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"expunge/scanners"
)

// Of captions only what somebody says is no aside; of other text nothing is one.
func TestAside(t *testing.T) {
	for _, tt := range []struct{ name, text, asides string }{
		{"WebVTT", "\ufeffWEBVTT - a call\r\n\r\nNOTE one\r\ntwo\r\n\r\nfirst cue\r\n00:00.000 --> 00:04.000 align:left\r\n<v Jane>four\r\n17\r\n\r\n00:04.000 --> 00:06.000\r\nfive --> six", "+++++--+-"},
		{"SubRip", "1\n00:00:00,000 --> 00:00:04,000\nfour\n\n2\n00:00:04,000 --> 00:00:06,000\n5\n6\n", "++-++--"},
		{"a transcript", "Ann: one\n\n2\n00:00:04 Bob: three --> four\n", "---"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := scanners.Input{Name: tt.name, Size: int64(len(tt.text)), Every: true, Open: func(_ context.Context, off, n int64) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(tt.text[off : off+n])), nil
			}}
			var got []byte
			if _, err := (Scanner{}).Scan(t.Context(), in, scanners.Nothing{}, func(r *scanners.Record) error {
				got = append(got, "-+"[slices.Index([]bool{false, true}, r.Aside)])
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.asides {
				t.Errorf("asides are %s, should be %s", got, tt.asides)
			}
		})
	}
}
