package main

import (
	"os"
	"runtime/debug"
)

// memoryLimit is what the garbage collector aims to stay below. What a run keeps is
// bounded by its workers and not by the lake; without a limit as much garbage again,
// and more, would be left lying before it is collected.
const memoryLimit = 384 << 20

// boundMemory sets the limit, unless who started the program has set one.
func boundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
