package controller

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
)

// registerAt registers nodes with an endpoint at which they listen.
func (q *trio) registerAt(ids ...int32) {
	q.t.Helper()
	for _, id := range ids {
		q.nodes[id].Register(meta.RegisterBroker{
			Dirs: []step.TopicID{tid(byte(id), 9)}, BootID: "boot",
			Endpoints: []meta.Endpoint{{Listener: "X", Host: fmt.Sprintf("n%d", id), Port: 9093}},
		})
	}
	for _, id := range ids {
		q.nodes[id].await(q.nodes[id].WaitActive)
	}
}

// fencedAfter waits until n's image shows a broker as fenced.
func (q *trio) fencedAfter(n *node, id int32) time.Duration {
	q.t.Helper()
	at := time.Now()
	for time.Since(at) < 10*time.Second {
		if b, _ := n.cat.Image().Broker(id); b.State == meta.Fenced {
			return time.Since(at)
		}
		time.Sleep(time.Millisecond)
	}
	q.t.Fatalf("broker %d is not fenced", id)
	return 0
}

// TestDeathIsSeenFast: nobody listens where a dead broker did, so that it is
// fenced long before its session ends; one that is only cut off has all of it.
func TestDeathIsSeenFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTrio(t)
		n := q.leader()
		q.registerAt(1, 2, 3)
		dead := q.id(n)%3 + 1
		q.kill(dead)
		n.Suspect(dead)
		if d := q.fencedAfter(n, dead); d > 400*time.Millisecond {
			t.Errorf("a dead broker is fenced after %v", d)
		}
		q.start(dead, false)
		q.registerAt(dead)

		// Suspected a moment before its listener is gone.
		n.Suspect(dead)
		time.Sleep(probePause / 2)
		q.kill(dead)
		if d := q.fencedAfter(n, dead); d > 400*time.Millisecond {
			t.Errorf("a dying broker is fenced after %v", d)
		}
		q.start(dead, false)
		q.registerAt(dead)

		// Alive, and suspected for nothing.
		n.Suspect(dead)
		time.Sleep(2 * time.Second)
		if b, _ := n.cat.Image().Broker(dead); b.State != meta.Active {
			t.Errorf("a living broker is %s", b.State)
		}

		// The controller dies: the next one looks at once.
		dead = q.id(n)
		q.kill(dead)
		at := time.Now()
		n = q.leader()
		led := time.Since(at)
		if led > 400*time.Millisecond {
			t.Errorf("the next controller leads after %v", led)
		}
		if d := q.fencedAfter(n, dead); d > 400*time.Millisecond {
			t.Errorf("the dead controller is fenced %v after the next one led (%v)", d, led)
		}
		t.Logf("controller dead: the next one leads after %v, fences it after %v", led, time.Since(at))
		q.stopAll()
	})
}

// TestCutOffBrokerHasItsSession: a broker that is silent may be alive.
func TestCutOffBrokerHasItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTrio(t)
		n := q.leader()
		q.registerAt(1, 2, 3)
		away := q.id(n)%3 + 1
		q.net.Isolate(fmt.Sprintf("n%d", away), "n1", "n2", "n3")
		q.nodes[away].stop() // its heartbeats are no connections here
		n.Suspect(away)
		if d := q.fencedAfter(n, away); d < 2*time.Second || d > 4*time.Second {
			t.Errorf("a silent broker is fenced after %v", d)
		}
		q.stopAll()
	})
}

// TestHandOver: a controller that leaves is replaced without an election.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTrio(t)
		n := q.leader()
		q.registerAt(1, 2, 3)
		at := time.Now()
		n.HandOver()
		for q.leader() == n {
			time.Sleep(time.Millisecond)
		}
		if d := time.Since(at); d > 200*time.Millisecond {
			t.Errorf("the next controller acts after %v", d)
		}
		q.stopAll()
	})
}
