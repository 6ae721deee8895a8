package bundle

import (
	"fmt"
	"testing"

	"expunge/connectors/mem"
	"expunge/pipeline/seal"
)

// BenchmarkWrite writes a bundle of 20,000 rows, in clear and sealed.
func BenchmarkWrite(b *testing.B) {
	var list []string
	var size int64
	for i := range 20000 {
		list = append(list, fmt.Sprintf(`{"phone":"+14045550123","n":%d,"text":"call %d was about the price of %d","legs":[{"to":"s%d","secs":%d}]}`, i, i*7, i%100, i%9, i))
		size += int64(len(list[i]))
	}
	keys, err := seal.Open(make([]byte, seal.KeySize))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		sealed bool
	}{{"clear", false}, {"sealed", true}} {
		b.Run(c.name, func(b *testing.B) {
			in := input(docs(list...))
			in.Run, in.Keys, in.Sealed = "run-1", keys, c.sealed
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Write(b.Context(), mem.New("work", mem.Options{}), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
