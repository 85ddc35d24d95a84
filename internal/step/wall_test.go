package step

import (
	"testing"
	"time"
)

// TestWall: what is slewed is followed; what jumps is believed when it has lasted, or
// never, if it is put right before.
func TestWall(t *testing.T) {
	const year = 365 * 24 * time.Hour
	start := int64(1_700_000_000_000)
	for name, jump := range map[string]time.Duration{"forward": year, "back": -year} {
		t.Run(name, func(t *testing.T) {
			w := NewWall(start, 0)
			mono, off := time.Duration(0), time.Duration(0)
			look := func(after, by time.Duration) (believed, jumped time.Duration) {
				mono += after
				off += by
				ms, jumped := w.Believe(start+(mono+off).Milliseconds(), mono)
				return time.Duration(ms-start)*time.Millisecond - mono, jumped
			}
			for range 100 {
				if got, jumped := look(time.Hour, 30*time.Second); got != off || jumped != 0 {
					t.Fatalf("slewed by %v, believed %v, jumped %v", off, got, jumped)
				}
			}
			was := off
			if got, jumped := look(time.Second, jump); got != was || jumped != jump {
				t.Fatalf("believed %v after a jump of %v, told %v", got, jump, jumped)
			}
			if got, jumped := look(BelieveAfter-time.Second, 0); got != was || jumped != 0 {
				t.Fatalf("believed %v, told %v", got, jumped)
			}
			if got, jumped := look(time.Second, -jump); got != was || jumped != 0 {
				t.Fatalf("put right: believed %v, told %v", got, jumped)
			}
			look(time.Second, jump)
			if got, _ := look(BelieveAfter, 0); got != off {
				t.Fatalf("it lasted: believed %v, it is %v", got, off)
			}
		})
	}
}
