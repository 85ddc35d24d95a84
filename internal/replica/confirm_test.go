package replica_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/replica"
)

// lease gives the leadership that a broker believes in.
func (x *node) lease(t *meta.Topic) *replica.Lease {
	x.b.T.Helper()
	p := x.Partition(t, 0)
	l, err := p.Lease(p.Epoch())
	if err != nil {
		x.b.T.Fatal(err)
	}
	return l
}

// confirm gives where the answer will come.
func confirm(l *replica.Lease) chan error {
	heard := make(chan error, 1)
	l.Confirm(func(err error, _ any) { heard <- err })
	return heard
}

// TestConfirm: a leader is sure within round trips, idle or not.
func TestConfirm(t *testing.T) {
	for _, durability := range []string{"fsync", "isr"} {
		t.Run(durability, func(t *testing.T) {
			trio(t, nil, func(b *brokers) {
				topic := b.Topic("t", map[string]string{"durability": durability}, 2, []int32{1, 2, 3})
				b.Nodes[1].ack(topic, 0, "first")
				l := b.Nodes[1].lease(topic)
				for k := range 20 {
					if k%4 == 3 {
						b.Nodes[1].Send(topic, 0, replica.AcksAll, "more")
					}
					began := time.Now()
					if err := <-confirm(l); err != nil {
						t.Fatal(err)
					}
					if d := time.Since(began); d > 20*time.Millisecond {
						t.Errorf("confirmation %d took %v", k, d)
					}
					time.Sleep(time.Duration(k) * 100 * time.Millisecond)
				}
			})
		})
	}
}

// TestConfirmAlone: one that has no followers needs nobody.
func TestConfirmAlone(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 1, []int32{1})
		b.Nodes[1].ack(topic, 0, "first")
		heard := confirm(b.Nodes[1].lease(topic))
		if len(heard) != 1 || <-heard != nil {
			t.Error("not at once")
		}
	})
}

// TestConfirmReplaced: a leader that was replaced and does not know it is not
// confirmed, although it reaches everybody; when it knows, it hears so.
func TestConfirmReplaced(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(topic, 0, "first")
		l := b.Nodes[1].lease(topic)
		b.Nodes[1].Hold()
		b.Nodes[1].Fence()
		heard := confirm(l)
		b.eventually(5*time.Second, "2 leads", func() bool { return b.Record(topic, 0).Leader == 2 })
		time.Sleep(time.Second)
		b.Nodes[2].ack(topic, 0, "second")
		again := confirm(l)
		time.Sleep(30 * time.Second)
		if len(again) != 0 || len(heard) != 0 && <-heard == nil {
			t.Error("the old leader is sure")
		}
		b.Nodes[1].Release()
		b.Nodes[1].Unfence()
		if err := <-again; !errors.Is(err, replica.ErrNotLeader) {
			t.Error(err)
		}
	})
}

// TestConfirmAsTheISRShrinks: whom the controller has taken out is not waited for,
// and below min.insync.replicas nobody is sure.
func TestConfirmAsTheISRShrinks(t *testing.T) {
	trio(t, nil, func(b *brokers) {
		topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
		b.Nodes[1].ack(topic, 0, "first")
		l := b.Nodes[1].lease(topic)
		b.Nodes[3].Kill()
		heard := confirm(l)
		time.Sleep(time.Second)
		if len(heard) != 0 {
			t.Error("sure without one that is in sync")
		}
		b.Nodes[3].Fence()
		if err := <-heard; err != nil {
			t.Error(err)
		}
		b.Nodes[2].Kill()
		b.Nodes[2].Fence()
		heard = confirm(l)
		time.Sleep(time.Minute)
		if len(heard) != 0 {
			t.Error("sure below min.insync.replicas")
		}
		b.Nodes[2].Start()
		if err := <-heard; err != nil {
			t.Error(err)
		}
	})
}

// TestConfirmByChance: whoever is confirmed had, when it asked, all that had been
// acknowledged, while brokers are held back, fenced and cut off by chance.
func TestConfirmByChance(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			trio(t, nil, func(b *brokers) {
				random := rand.New(rand.NewPCG(seed, 11))
				topic := b.Topic("t", nil, 2, []int32{1, 2, 3})
				b.Nodes[1].ack(topic, 0, "first")
				var acked int64 // the highest acknowledged end
				sure := 0
				type asked struct {
					p     *replica.Partition
					acked int64
					heard chan error
				}
				var open []asked
				for range 400 {
					x := b.Nodes[int32(random.IntN(3)+1)]
					name := func(id int32) string { return fmt.Sprintf("b%d", id) }
					switch random.IntN(12) {
					case 0:
						if leader := b.Record(topic, 0).Leader; leader > 0 && random.IntN(2) == 0 {
							x = b.Nodes[leader]
							x.Hold()
							x.Fence() // it does not hear of it
						}
						x.Hold()
					case 1:
						x.Release()
					case 2:
						x.Fence()
					case 3, 4:
						x.Unfence()
					case 5:
						b.Net.Isolate(name(x.ID), name(x.ID%3+1), name((x.ID+1)%3+1))
					case 6:
						b.Net.Heal()
					case 7, 8:
						if leader := b.Record(topic, 0).Leader; leader > 0 {
							x = b.Nodes[leader]
						}
						s := x.Send(topic, 0, replica.AcksAll, "more")
						if s.Wait(time.Duration(random.IntN(100))*time.Millisecond) == nil {
							acked = max(acked, s.Base+1)
						}
					default:
						p := x.Partition(topic, 0)
						if l, err := p.Lease(p.Epoch()); err == nil {
							open = append(open, asked{p, acked, confirm(l)})
						}
					}
					time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
					var still []asked
					for _, a := range open {
						select {
						case err := <-a.heard:
							if err != nil {
								break
							}
							sure++
							if end := a.p.Log().View().End; end < a.acked {
								t.Fatalf("sure with a log that ends at %d, when %d had been acknowledged", end, a.acked)
							}
						default:
							still = append(still, a)
						}
					}
					open = still
				}
				if sure == 0 {
					t.Error("nobody was ever sure")
				}
			})
		})
	}
}
