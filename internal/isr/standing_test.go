package isr

import (
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/step"
)

// TestStanding follows one follower: unknown, behind, caught up.
func TestStanding(t *testing.T) {
	for _, fsync := range []bool{true, false} {
		var eff Effects
		at := step.Instant(0)
		l := NewLeader(at, Config{Self: 1, Fsync: fsync, LagMax: 10 * time.Second}, Record{
			LeaderEpoch: 4, Replicas: []int32{1, 2}, ISR: 3, Eligible: 3, BrokerEpochs: []int64{10, 20}, MinISR: 1,
		}, Log{End: 100, Durable: 90, HighWatermark: 80}, &eff)

		check := func(i int, want Standing) {
			t.Helper()
			if got := l.Standing(at, i); got != want {
				t.Errorf("fsync=%v: replica %d is %+v, want %+v", fsync, i, got, want)
			}
		}
		durable := func(end int64) int64 {
			if fsync {
				return end
			}
			return -1
		}
		check(0, Standing{InISR: true, End: 100, Durable: 90})
		check(1, Standing{InISR: true, End: -1, Durable: -1, Lag: -1})

		at = at.Add(3 * time.Second)
		fetch := Fetched{Replica: 2, LeaderEpoch: 4, BrokerEpoch: 20, Offset: 60}
		if err := l.Fetched(at, fetch, &eff); err != nil {
			t.Fatal(err)
		}
		check(1, Standing{InISR: true, End: 60, Durable: durable(60), Lag: 3 * time.Second})

		fetch.Offset = 100
		if err := l.Fetched(at, fetch, &eff); err != nil {
			t.Fatal(err)
		}
		check(1, Standing{InISR: true, End: 100, Durable: durable(100)})
	}
}

// A proposal that is repeated after a member died and registered anew speaks of
// the life that had fetched: the controller refuses it then.
func TestProposalKeepsTheLivesItNamed(t *testing.T) {
	rec := Record{LeaderEpoch: 1, Replicas: []int32{1, 2}, ISR: 1, Eligible: 3, BrokerEpochs: []int64{10, 20}, MinISR: 1}
	var e Effects
	l := NewLeader(0, Config{Self: 1, LagMax: lagMax}, rec, Log{End: 5, Durable: 5}, &e)
	if err := l.Fetched(1, Fetched{Replica: 2, BrokerEpoch: 20, LeaderEpoch: 1, Offset: 5}, &e); err != nil || !e.Propose {
		t.Fatalf("err %v, proposes %v", err, e.Propose)
	}
	rec.BrokerEpochs = []int64{10, 21}
	l.Altered(2, rec, &e)
	q := e.Proposal
	e = Effects{}
	l.Refused(q, Unknown, &e)
	if got := l.Members(e.Proposal.ISR); !e.Propose || len(got) != 2 || got[1] != (Member{2, 20}) {
		t.Fatalf("proposes %v with %v", e.Propose, got)
	}
}
