package broker

import (
	"math"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
)

// bootID names this run of the operating system: the same one means that the
// page cache has survived. "" where the system does not tell.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// openFileLimit is how many descriptors this process may have.
func openFileLimit() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 1024
	}
	return int(min(l.Cur, 1<<20))
}

// queuedBytes resolves queued.max.request.bytes: 0 is a quarter of the memory
// limit, or of 1 GiB where there is none.
func queuedBytes(set int64) int64 {
	if set > 0 {
		return set
	}
	limit := debug.SetMemoryLimit(-1) // reads it
	if limit == math.MaxInt64 {
		limit = 1 << 30
	}
	return limit / 4
}
