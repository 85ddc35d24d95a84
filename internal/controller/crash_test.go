package controller

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// TestKillAtAnyPoint loses power again and again under load: at a random moment
// the disk becomes what was synced and a random part of the rest. Whatever was
// answered must be there after the restart, whatever was not may be.
//
//	submit … submit ╳ crash → open, elect, register → check → submit … ╳
func TestKillAtAnyPoint(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { killLoop(t, seed) })
	}
}

func killLoop(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	disk := vfs.NewMem()
	acked := map[string]bool{} // topics that were answered
	ids := int64(0)            // producer ids answered so far end here
	made := 0
	for life := range 6 {
		slow := vfs.NewFault(disk) // so that a crash can come in the middle of a commit
		slow.Add(vfs.Rule{Op: vfs.OpSync, Delay: 200 * time.Microsecond})
		stores, err := OpenFS(slow, "meta")
		if err != nil {
			t.Fatalf("seed %d life %d: %v", seed, life, err)
		}
		o := Options{Node: 1, Directory: tid(1), ClusterID: "here", Address: "n1:1", Stores: stores}
		if err := o.BootstrapSelf(); err != nil {
			t.Fatal(err)
		}
		n := start(t, o)
		n.Register(meta.RegisterBroker{Dirs: []step.TopicID{tid(1)}, BootID: fmt.Sprint(life)})
		epoch := n.await(n.WaitActive)
		im := n.cat.Image()
		for name := range acked {
			if _, ok := im.TopicNamed(name); !ok {
				t.Fatalf("seed %d life %d: topic %s was answered and is lost", seed, life, name)
			}
		}

		var mu sync.Mutex
		dead := false
		var wait sync.WaitGroup
		for range rng.IntN(60) {
			made++
			name, id := fmt.Sprint("t", made), step.TopicID{byte(made), byte(made >> 8), 5}
			wait.Add(1)
			n.Submit([]meta.Command{
				meta.CreateTopic{ID: id, Name: name, Assignments: [][]int32{{1}}},
				meta.AllocateProducerIDs{Broker: 1, BrokerEpoch: epoch, Count: 10},
			}, time.Time{}, func(c Committed) {
				defer wait.Done()
				mu.Lock()
				defer mu.Unlock()
				if dead || c.Err != nil {
					return
				}
				if err := errors.Join(c.Results[0].Err, c.Results[1].Err); err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
				if first := c.Results[1].FirstID; first < ids {
					t.Errorf("seed %d: producer id %d again, %d were given out", seed, first, ids)
				} else {
					ids = first + 10
				}
				acked[name] = true
			})
			switch rng.IntN(10) {
			case 0:
				time.Sleep(time.Duration(rng.IntN(100)) * time.Microsecond)
			case 1:
				wait.Wait()
			case 2:
				go func() { _ = n.node.r.Snapshot().Error() }() // cut off by the crash, or not
			}
		}
		time.Sleep(time.Duration(rng.IntN(400)) * time.Microsecond)
		mu.Lock()
		crashed := disk.Crash(rng, rng.Float64())
		dead = true
		mu.Unlock()
		n.stop()
		wait.Wait()
		disk = crashed
	}
}

// TestDiskThatFails injects an error in the raft log: nothing is acknowledged
// from then on, and after a restart everything that was is there.
func TestDiskThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		fault := vfs.NewFault(disk)
		stores, err := OpenFS(fault, "meta")
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Node: 1, Directory: tid(1), ClusterID: "here", Address: "n1:1", Stores: stores}
		if err := o.BootstrapSelf(); err != nil {
			t.Fatal(err)
		}
		n := start(t, o)
		n.Register(registration())
		n.await(n.WaitActive)
		n.must(topic(1, "kept", 1))
		fault.Add(vfs.Rule{Op: vfs.OpSync, Path: "raft.log", Err: syscall.EIO})
		if c := n.submit(topic(2, "lost", 1)); !errors.Is(c.Err, ErrUnknownOutcome) {
			t.Fatalf("answered from a disk that failed: %+v", c)
		}
		if c := n.submit(topic(3, "lost", 1)); c.Err == nil {
			t.Fatalf("answered from a disk that failed: %+v", c)
		}
		n.stop()
		if stores, err = OpenFS(disk, "meta"); err != nil {
			t.Fatal(err)
		}
		o.Stores, o.Bootstrap = stores, nil
		n = start(t, o)
		n.Register(registration())
		n.await(n.WaitActive)
		if _, ok := n.cat.Image().TopicNamed("kept"); !ok {
			t.Fatal("an answered topic is lost")
		}
		n.stop()
	})
}
