package broker

import (
	"errors"
	"io/fs"
	"path"

	"github.com/brokerd/brokerd/internal/vfs"
)

// latchFile says, in any directory of this node, that a disk has failed since the
// controller was last told: the kernel may have dropped pages of it, so that the
// next start must not trust the page cache although the system has not restarted
// (S1). Its content is for people.
const latchFile = "disk-error"

// latchDiskError leaves the latch in every directory that can be written still.
func (b *Broker) latchDiskError(dir string, cause error) {
	text := []byte("log directory " + dir + " has failed: " + cause.Error() + "\n")
	var errs []error
	for _, d := range b.dirs() {
		if d != dir {
			errs = append(errs, writeFile(b.o.FS, d, latchFile, text))
		}
	}
	if err := errors.Join(errs...); err != nil {
		b.o.Log.Warn("the failure of a log directory is not noted everywhere", "dir", dir, "error", err)
	}
}

// diskErrorLatched says whether a disk had failed when this node stopped.
func diskErrorLatched(f vfs.FS, dirs []string) (bool, error) {
	for _, d := range dirs {
		_, err := readFile(f, path.Join(d, latchFile))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return true, err
		}
	}
	return false, nil
}

// unlatchDiskError takes the latch away: the controller has been told. A
// directory that failed meanwhile has a new one, which stays.
func (b *Broker) unlatchDiskError() {
	for _, d := range b.dirs() {
		err := b.o.FS.Remove(path.Join(d, latchFile))
		if err == nil {
			err = b.o.FS.SyncDir(d)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			b.o.Log.Warn("a note of a failed disk stays, and the next start counts as unclean", "dir", d, "error", err)
		}
	}
}
