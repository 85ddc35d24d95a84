package storage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/vfs"
)

// BenchmarkLimit is the kernel's own price for what BenchmarkAppend writes.
func BenchmarkLimit(b *testing.B) {
	for _, size := range []int{156, 14673, 148823, 900439} {
		b.Run("pwrite/"+fmt.Sprint(size)+"B", func(b *testing.B) {
			f, err := vfs.NewOS().Open(b.TempDir()+"/f", vfs.Create)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			p := make([]byte, size)
			off, ahead := int64(0), int64(0)
			b.SetBytes(int64(size))
			for b.Loop() {
				if off+int64(size) > 1<<30 {
					if err := f.Truncate(0); err != nil {
						b.Fatal(err)
					}
					off, ahead = 0, 0
				}
				if off >= 1<<20 && ahead-off < 32<<20 {
					ahead = off + 64<<20
					if err := f.Allocate(off, 64<<20); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := f.WriteAt(p, off); err != nil {
					b.Fatal(err)
				}
				off += int64(size)
			}
		})
	}
}

// discardFS keeps no byte of a segment: what is left of an append is our own work.
type discardFS struct{ *vfs.Mem }

func (d discardFS) Open(name string, mode vfs.Mode) (vfs.File, error) {
	f, err := d.Mem.Open(name, mode)
	if err != nil || !strings.HasSuffix(name, logSuffix) {
		return f, err
	}
	return discardFile{f}, nil
}

type discardFile struct{ vfs.File }

func (discardFile) WriteAt(p []byte, off int64) (int, error) { return len(p), nil }
func (discardFile) Truncate(int64) error                     { return nil }
func (discardFile) Sync() error                              { return nil }

func BenchmarkBookkeeping(b *testing.B) {
	for name, d := range map[string]Durability{"isr": ISR, "fsync": Fsync} {
		for _, records := range []int{1, 150} {
			b.Run(fmt.Sprintf("%s/%drecords", name, records), func(b *testing.B) {
				l := realLogOn(b, discardFS{vfs.NewMem()}, d)
				p := batch(b, records, 84, 1000)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := l.Append(1, p); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func realLogOn(b *testing.B, fsys vfs.FS, d Durability) *Log {
	c := defaultConfig
	c.Durability, c.SegmentBytes = d, 1<<31-1
	s := openStore(b, fsys)
	l := openLog(b, s, 0, c)
	if _, err := l.Lead(1); err != nil {
		b.Fatal(err)
	}
	return l
}
