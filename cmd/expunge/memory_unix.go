//go:build unix && !linux

package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// peakMemory is how many bytes this process has had resident at most; 0 where the
// system does not say.
func peakMemory() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	peak := int64(u.Maxrss)
	if runtime.GOOS != "darwin" && runtime.GOOS != "ios" { // these count bytes, others KiB
		peak *= 1024
	}
	return peak
}
