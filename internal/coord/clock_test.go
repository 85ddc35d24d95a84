package coord

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/step"
)

// TestClockJumps: what a machine hears is the time from before a jump, until it has
// lasted for an hour.
func TestClockJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Cluster: func() step.Topics { return nil }})
		past := time.Now().Add(-time.Hour * 24 * 365)
		for _, after := range []time.Duration{0, 2 * time.Hour} {
			r.wall.Believe(past.Add(after).UnixMilli(), after)
		}
		hears := func() time.Time { return time.UnixMilli(r.input(0, nil).UnixMs) }
		if got := hears(); !got.Equal(past.Truncate(time.Millisecond)) {
			t.Errorf("after a jump: %v, it was %v", got, past)
		}
		time.Sleep(2 * time.Hour)
		if got := hears(); !got.Equal(time.Now().Truncate(time.Millisecond)) {
			t.Errorf("after two hours: %v, it is %v", got, time.Now())
		}
	})
}
