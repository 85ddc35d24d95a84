package replica_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestConfirmBelowItsLevel: while a cluster is upgraded, nobody waits for followers
// that may not know what they are asked.
func TestConfirmBelowItsLevel(t *testing.T) {
	for _, level := range []int16{2, 3} {
		synctest.Test(t, func(t *testing.T) {
			b := newBrokersAt(t, level, 3, nil)
			defer b.Close()
			topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
			b.Nodes[1].ack(topic, 0, "first")
			l := b.Nodes[1].lease(topic)
			for _, follower := range []int32{2, 3} {
				b.Nodes[follower].Kill()
			}
			heard := confirm(l)
			time.Sleep(time.Second)
			if sure := len(heard) == 1; sure != (level < 3) {
				t.Errorf("level %d: answered %v", level, sure)
			}
		})
	}
}
