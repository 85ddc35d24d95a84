package replica_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/replica"
)

// trio runs a scene with three brokers in a bubble.
func trio(t *testing.T, settings map[string]string, scene func(b *brokers)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrokers(t, 3, settings)
		defer b.Close()
		scene(b)
	})
}

// same waits until the logs of a partition are the same, byte for byte.
func (b *brokers) same(t *meta.Topic, i int32, ids ...int32) {
	b.T.Helper()
	var all [][]byte
	for range 200 {
		all = nil
		for _, id := range ids {
			all = append(all, b.Nodes[id].Bytes(t, i))
		}
		equal := true
		for _, x := range all[1:] {
			equal = equal && bytes.Equal(x, all[0])
		}
		if equal {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	for k, id := range ids {
		v := b.Nodes[id].Partition(t, i).Log().View()
		b.T.Errorf("broker %d: %d bytes, %+v", id, len(all[k]), v)
	}
	b.T.Fatal("replicas differ")
}

// eventually waits for something to be so.
func (b *brokers) eventually(within time.Duration, what string, ok func() bool) {
	b.T.Helper()
	for end := time.Now().Add(within); !ok(); {
		if time.Now().After(end) {
			b.T.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (b *brokers) isr(t *meta.Topic, i int32) string {
	rec := b.Record(t, i)
	return fmt.Sprint(rec.ISR())
}

// ack sends one record and wants it acknowledged by all.
func (x *node) ack(t *meta.Topic, i int32, value string) {
	x.b.T.Helper()
	began := time.Now()
	if err := x.Send(t, i, replica.AcksAll, value).Wait(30 * time.Second); err != nil {
		x.b.T.Fatalf("%q after %v: %v", value, time.Since(began), err)
	}
}

func TestReplicas(t *testing.T) {
	for _, durability := range []string{"fsync", "isr"} {
		t.Run(durability, func(t *testing.T) {
			trio(t, nil, func(b *brokers) {
				topic := b.Topic("t", map[string]string{"durability": durability}, 2, []int32{1, 2, 3}, []int32{2, 3, 1}, []int32{3, 1, 2})
				began := time.Now()
				for i := range int32(3) {
					for k := range 20 {
						b.Nodes[i+1].ack(topic, i, fmt.Sprint("value ", k))
					}
				}
				if d := time.Since(began); d > 100*time.Millisecond {
					t.Errorf("60 acknowledgements took %v", d)
				}
				for i := range int32(3) {
					b.same(topic, i, 1, 2, 3)
				}
				if isr := b.isr(topic, 0); isr != "[1 2 3]" {
					t.Error(isr)
				}
			})
		})
	}
}

// TestKilledFollower: the ISR shrinks when its session ends, acks go on, it
// comes back, catches up and joins.
func TestKilledFollower(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(topic, 0, "before")
		b.Nodes[3].Kill()
		s := b.Nodes[1].Send(topic, 0, replica.AcksAll, "meanwhile")
		if err := s.Wait(time.Second); !errors.Is(err, replica.ErrTimedOut) {
			t.Fatalf("acknowledged without an in-sync replica: %v", err)
		}
		b.Nodes[3].Fence()
		b.Nodes[1].ack(topic, 0, "after")
		if isr := b.isr(topic, 0); isr != "[1 2]" {
			t.Fatal(isr)
		}
		b.Nodes[3].Start()
		b.eventually(5*time.Second, "3 is back in sync", func() bool { return b.isr(topic, 0) == "[1 2 3]" })
		b.Nodes[1].ack(topic, 0, "back")
		b.same(topic, 0, 1, 2, 3)
	})
}
