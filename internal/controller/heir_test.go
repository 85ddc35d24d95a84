package controller

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestHeirs: the voters stand one after the other when their leader is dead. The first
// in turn may lack what is committed; whoever is only cut off, or whose connections
// broke, is not dead.
func TestHeirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newTrio(t)
		n := q.leader()
		q.registerAt(1, 2, 3)
		host := func(id int32) string { return fmt.Sprintf("n%d", id) }

		// Its connections break: it is dialled anew, and leads on.
		for id := int32(1); id <= 3; id++ {
			q.net.Reset(host(q.id(n)), host(id))
		}
		time.Sleep(3 * time.Second)
		if got := q.leader(); got != n {
			t.Fatalf("%d leads after connections of %d broke", q.id(got), q.id(n))
		}

		// The first in turn is behind: the second one leads.
		leader := q.id(n)
		first := int32(1)
		if first == leader {
			first = 2
		}
		q.net.Isolate(host(first), "n1", "n2", "n3")
		com := n.must(topic(1, "a", 1, 2, 3))
		time.Sleep(50 * time.Millisecond) // it does not know yet that it is alone
		q.net.Heal()
		q.kill(leader)
		at := time.Now()
		n = q.leader()
		if d := time.Since(at); d > 700*time.Millisecond {
			t.Errorf("the next controller leads after %v", d)
		}
		t.Logf("%d leads %v after %d died, first in turn was %d", q.id(n), time.Since(at), leader, first)
		q.settle(com.Index)
		q.sameImages()
		q.stopAll()
	})
}
