package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// peakMemory is how many bytes this process has had resident at most; 0 where the
// system does not say. getrusage would tell the peak of whoever has forked it, if that
// was more: only what the kernel says of the address space is the program's own.
func peakMemory() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if of, isPeak := strings.CutPrefix(lines.Text(), "VmHWM:"); isPeak {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(of, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
