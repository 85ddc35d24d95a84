package replica

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
)

// TestJoinBesideGroupCommits: a lane has just ended, so a follower gets another one,
// while group commits poke its lane. The race detector looks on.
func TestJoinBesideGroupCommits(t *testing.T) {
	settings, err := conf.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &Manager{
		conf: settings, log: slog.New(slog.DiscardHandler),
		peer: func(int32) (wire.PeerOptions, error) { return wire.PeerOptions{}, errors.New("nobody is there") },
	}
	ctx, cancel := context.WithCancel(t.Context())
	m.lanes.open(ctx)
	for i := range int32(200) {
		p := &Partition{m: m, id: step.PartitionID{Index: i}}
		key := laneKey{peer: 2, shard: int(i)}
		old := newLane(m, key)
		old.ended = true
		m.lanes.byKey[key] = old
		f, begun, done := &following{p: p}, make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			for n, joined := 0, false; !joined; n++ {
				if n == 1 {
					close(begun)
				}
				p.flushed(0, &woken{})
				p.leaveLane()
				p.mu.Lock()
				_, l := p.followingLocked()
				joined = l != nil && l != old
				p.mu.Unlock()
			}
		}()
		<-begun
		m.join(f, key)
		<-done
	}
	cancel()
	m.lanes.close()
}
