package vfs

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

func syncData(fd int) error { return unix.Fdatasync(fd) }

func allocate(off, n int64) func(fd int) error {
	return func(fd int) error {
		if n <= 0 {
			return nil
		}
		err := unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, off, n)
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
			return nil
		}
		return err
	}
}

func syncFS(dir *os.File) error {
	raw, err := dir.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = raw.Control(func(fd uintptr) {
		callErr = again(func() error { return unix.Syncfs(int(fd)) })
	})
	return errors.Join(err, callErr)
}

// syncsWithErrors says whether syncfs reports write errors: since Linux 5.8.
var syncsWithErrors = sync.OnceValue(func() bool {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return false
	}
	var major, minor int
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); n != 2 {
		return false // an unknown kernel is treated as an old one
	}
	return major > 5 || major == 5 && minor >= 8
})
