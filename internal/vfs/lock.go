package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// osLock is a file held by flock. The file stays when the lock goes: removing
// it would let two openers lock two files of one name.
type osLock struct {
	f     *os.File
	unpin func() error
}

// lockFile takes the lock and writes the process id into the file, for those
// who come too late. The kernel drops the lock when the process ends.
func lockFile(name string) (*osLock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = again(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errors.Join(lockedBy(name, readHolder(f)), f.Close())
	}
	if err == nil {
		err = writeHolder(f, fmt.Sprintf("%d\n", os.Getpid()))
	}
	if err != nil {
		err = &fs.PathError{Op: "lock", Path: name, Err: err}
		return nil, errors.Join(err, f.Close())
	}
	return &osLock{f: f}, nil
}

func (l *osLock) Close() error {
	err := writeHolder(l.f, "")
	if l.unpin != nil {
		err = errors.Join(err, l.unpin())
	}
	return errors.Join(err, l.f.Close())
}

func lockedBy(name, holder string) error {
	if holder == "" {
		return fmt.Errorf("lock %s: %w", name, ErrLocked)
	}
	return fmt.Errorf("lock %s: %w (pid %s)", name, ErrLocked, holder)
}

// readHolder is the process id in the file, or nothing that would mislead.
func readHolder(f *os.File) string {
	var buf [20]byte
	n, err := f.ReadAt(buf[:], 0)
	if err != nil && err != io.EOF {
		return ""
	}
	pid := strings.TrimSpace(string(buf[:n]))
	if strings.Trim(pid, "0123456789") != "" {
		return ""
	}
	return pid
}

func writeHolder(f *os.File, pid string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(pid), 0)
	return err
}
