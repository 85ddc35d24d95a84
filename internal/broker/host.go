package broker

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
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

// openFileLimit is how many segment files may be open: of a quarter of this
// process's descriptors, at least 256, which the server leaves to files, all but
// some for the metadata, indexes and directories.
func openFileLimit() int {
	l := syscall.Rlimit{Cur: 1024}
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) // else what most systems give
	all := int(min(l.Cur, 1<<20))
	return max(min(max(all/4, 256), all/2)-64, 16)
}

// LimitMemory tells the runtime how much memory this process should take: a
// quarter of what the machine, or its control group, has, unless GOMEMLIMIT says
// otherwise. The rest is for the page cache, which serves the readers.
func LimitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	have := uint64(math.MaxInt64)
	for _, read := range []func() uint64{machineMemory, groupMemory} {
		if n := read(); n > 0 {
			have = min(have, n)
		}
	}
	if have < math.MaxInt64 {
		debug.SetMemoryLimit(max(int64(have/4), 256<<20))
	}
}

// machineMemory is MemTotal of /proc/meminfo in bytes, 0 if there is none.
func machineMemory() uint64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "MemTotal:")
	if f := strings.Fields(rest); len(f) > 0 {
		kib, err := strconv.ParseUint(f[0], 10, 64)
		if err == nil {
			return kib << 10
		}
	}
	return 0
}

// groupMemory is the limit of this process's control group (version 2), 0 if none.
func groupMemory() uint64 {
	b, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0 // "max"
	}
	return n
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
