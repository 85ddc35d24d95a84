package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/step"
)

// BenchmarkRebalance is a group of a thousand: from the last join of a rebalance
// to the last assignment, without the log.
func BenchmarkRebalance(b *testing.B) {
	bed := newBed(&testing.T{})
	bed.unchecked = true
	clients, tokens := make([]*client, 1000), make([]step.Token, 1000)
	for i := range clients {
		clients[i] = bed.client("t")
		tokens[i] = clients[i].join()
	}
	bed.advance(6 * time.Second)
	bed.finish(clients, tokens)
	for b.Loop() {
		b.StopTimer()
		clear(bed.answers)
		for i, c := range clients {
			if c.leader {
				clients[0], clients[i] = clients[i], clients[0]
			}
		}
		for i, c := range clients[:999] {
			tokens[i] = c.join() // the leader's starts it
		}
		b.StartTimer()
		tokens[999] = clients[999].join()
		assign := map[string]string{}
		for i, c := range clients {
			c.joined(tokens[i])
			assign[c.id] = "of " + c.id
		}
		for i, c := range clients {
			if c.leader {
				tokens[i] = c.sync(assign)
			} else {
				tokens[i] = c.sync(nil)
			}
		}
	}
}

// BenchmarkCommit is one member's commit of one partition, replayed.
func BenchmarkCommit(b *testing.B) {
	bed := newBed(&testing.T{})
	bed.unchecked = true
	c := bed.client("t")
	bed.form(c)
	b.ReportAllocs()
	for at := int64(0); b.Loop(); at++ {
		bed.log = bed.log[:2]
		if code := c.commit("t", 0, at); code != 0 {
			b.Fatal(code)
		}
	}
}

// BenchmarkConsumerJoin is a member that joins a consumer group of a thousand, and
// leaves again: each makes the assignment of all anew. One heartbeat of another in
// between is what each of the thousand then costs.
func BenchmarkConsumerJoin(b *testing.B) {
	bed := newBed(&testing.T{})
	bed.unchecked = true
	bed.topics["big"] = step.TopicID{3}
	clients := make([]*consumerClient, 999)
	for i := range clients {
		clients[i] = bed.consumer(fmt.Sprint("m", i), "big")
		clients[i].beats()
	}
	last := bed.consumer("last", "big")
	for b.Loop() {
		clear(bed.answers)
		bed.log = bed.log[:0]
		last.beats()
		clients[0].beats()
		last.says(epochLeave)
		last.epoch, last.owned = epochJoin, parts{}
		clients[0].beats()
	}
}
