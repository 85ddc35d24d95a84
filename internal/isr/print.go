package isr

import (
	"fmt"
	"strings"
)

// String prints the state on one line, for scripts and for whoever debugs.
func (l *Leader) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "epoch=%d.%d isr=%v", l.rec.LeaderEpoch, l.rec.PartitionEpoch, l.rec.ISR.Members(l.rec.Replicas))
	if l.asked {
		fmt.Fprintf(&b, " pending=%v", l.pending.Members(l.rec.Replicas))
	}
	fmt.Fprintf(&b, " start=%d end=%d durable=%d hw=%d", l.start, l.end, l.durable, l.hw)
	if l.UnderMinISR() {
		b.WriteString(" frozen")
	}
	return b.String()
}

func (f *Follower) String() string {
	s := fmt.Sprintf("epoch=%d end=%d durable=%d hw=%d", f.rec.LeaderEpoch, f.end, f.durable, f.hw)
	if f.waiting {
		s += fmt.Sprintf(" waiting for %d", f.sent.Offset)
	}
	return s
}
