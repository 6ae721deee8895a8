package scanners

import (
	"path"
	"strings"
)

// Ext is the extension of a key in lower case, below that of its packing: ".csv" of
// "a/b.CSV.gz".
func Ext(key string) string {
	ext := strings.ToLower(path.Ext(key))
	switch ext {
	case ".gz", ".gzip", ".zst", ".zstd":
		return strings.ToLower(path.Ext(key[:len(key)-len(ext)]))
	}
	return ext
}
