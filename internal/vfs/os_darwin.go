package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData: on macOS only F_FULLFSYNC reaches the medium.
func syncData(fd int) error {
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_FULLFSYNC, 0); err == nil {
		return nil
	}
	return unix.Fsync(fd) // file systems without it (network, FAT)
}

func allocate(off, n int64) func(fd int) error { return func(int) error { return nil } }
func syncFS(*os.File) error                    { return errors.ErrUnsupported }
func syncsWithErrors() bool                    { return false }
