package coord

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/step"
)

// TestClockJumps: what a machine hears is the time from before a jump, until it has
// lasted for an hour. What it writes is not older than either.
func TestClockJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Cluster: func() step.Topics { return nil }})
		const year = time.Hour * 24 * 365
		for _, by := range []time.Duration{year, -year} {
			was := time.Now().Add(-by)
			r.wall = step.NewWall(was.UnixMilli(), time.Since(r.began))
			hears := func() (believed, writes time.Time) {
				in := r.input(0, nil)
				return time.UnixMilli(in.BelievedMs), time.UnixMilli(in.UnixMs)
			}
			later := time.Now()
			if by < 0 {
				later = was
			}
			if believed, writes := hears(); !believed.Equal(was.Truncate(time.Millisecond)) || !writes.Equal(later.Truncate(time.Millisecond)) {
				t.Errorf("after a jump by %v: %v, writes %v; it was %v", by, believed, writes, was)
			}
			time.Sleep(2 * time.Hour)
			if believed, writes := hears(); !believed.Equal(writes) || !believed.Equal(time.Now().Truncate(time.Millisecond)) {
				t.Errorf("after two hours: %v, writes %v, it is %v", believed, writes, time.Now())
			}
		}
	})
}
