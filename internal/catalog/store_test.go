package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/brokerd/brokerd/internal/meta"
)

// entry is one committed raft entry.
func entry(index uint64, cmds ...meta.Command) *raft.Log {
	return &raft.Log{Index: index, Type: raft.LogCommand, Data: meta.EncodeEntry(cmds)}
}

func config(name, value string) meta.Command {
	return meta.AlterConfig{
		Resource: meta.Resource{Type: meta.BrokerResource, Name: name},
		Set:      map[string]*string{"k": &value},
	}
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStore()
		f := NewFSM(s)
		got := make(chan uint64, 1)
		go func() {
			im, err := s.Await(t.Context(), 7)
			if err != nil {
				t.Error(err)
			}
			got <- im.Index()
		}()
		synctest.Wait()
		f.Apply(entry(6, config("1", "a")))
		synctest.Wait()
		select {
		case i := <-got:
			t.Fatalf("woken at %d", i)
		default:
		}
		f.ApplyBatch([]*raft.Log{entry(7, config("1", "b")), {Index: 8, Type: raft.LogConfiguration}, entry(9, config("1", "c"))})
		if i := <-got; i != 9 {
			t.Fatalf("image of %d", i)
		}
		if im, err := s.Await(t.Context(), 3); err != nil || im.Index() != 9 {
			t.Fatalf("%v %v", im, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Await(ctx, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("nothing came: %v", err)
		}
		if len(s.waiting) != 0 {
			t.Fatalf("%d waiters are left behind", len(s.waiting))
		}
	})
}

func TestWatch(t *testing.T) {
	s := NewStore()
	f := NewFSM(s)
	f.Apply(entry(1, config("1", "a")))
	w := s.Watch()
	im, c, err := w.Next(t.Context())
	if err != nil || im.Index() != 1 || len(c.Configs) != 1 {
		t.Fatalf("first: %+v %v", c, err)
	}
	for i := range uint64(10) { // a slow watcher: one change of two things, ten times
		f.Apply(entry(2+i, config("1", fmt.Sprint(i)), config("2", fmt.Sprint(i))))
	}
	im, c, err = w.Next(t.Context())
	if err != nil || im.Index() != 11 || len(c.Configs) != 2 || im.Config(c.Configs[0])["k"] != "9" {
		t.Fatalf("coalesced: %+v %v", c, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := w.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("nothing new: %v", err)
	}
	w.Close()
	w.Close()
	if _, _, err := w.Next(t.Context()); !errors.Is(err, ErrClosed) || len(s.watches) != 0 {
		t.Fatalf("closed: %v, %d watches", err, len(s.watches))
	}
}

// TestReadersNeverLock reads, watches and awaits while entries are applied.
func TestReadersNeverLock(t *testing.T) {
	s := NewStore()
	f := NewFSM(s)
	var wg sync.WaitGroup
	const last = 500
	for range 3 {
		wg.Go(func() {
			w := s.Watch()
			defer w.Close()
			seen := map[string]string{}
			for {
				im, c, err := w.Next(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				for _, r := range c.Configs {
					seen[r.Name] = im.Config(r)["k"]
				}
				if im.Index() == last {
					break
				}
			}
			for name := range s.Image().Resources(meta.BrokerResource) {
				if want := s.Image().Config(meta.Resource{Type: meta.BrokerResource, Name: name})["k"]; seen[name] != want {
					t.Errorf("I3: broker %s: the watcher saw %q last, it is %q", name, seen[name], want)
				}
			}
		})
		wg.Go(func() {
			var at uint64
			for at < last {
				im, err := s.Await(t.Context(), at+1)
				if err != nil || im.Index() <= at {
					t.Errorf("I1: %d after %d, %v", im.Index(), at, err)
					return
				}
				at = im.Index()
			}
		})
	}
	for i := range uint64(last) {
		f.Apply(entry(i+1, config(fmt.Sprint(i%17), fmt.Sprint(i))))
	}
	wg.Wait()
}

// sink is a snapshot in memory.
type sink struct {
	bytes.Buffer
	cancelled bool
	fail      bool
}

func (s *sink) ID() string   { return "s" }
func (s *sink) Close() error { return nil }
func (s *sink) Cancel() error {
	s.cancelled = true
	return nil
}
func (s *sink) Write(p []byte) (int, error) {
	if s.fail {
		return 0, io.ErrShortWrite
	}
	return s.Buffer.Write(p)
}

func TestSnapshotAndRestore(t *testing.T) {
	a, b := NewStore(), NewStore()
	fa, fb := NewFSM(a), NewFSM(b)
	fa.Apply(entry(1, meta.Bootstrap{ClusterID: "c", Level: 1}, config("1", "old")))
	fb.Apply(entry(1, config("gone", "x")))
	if fa.Pending() == 0 {
		t.Fatal("entries are not counted")
	}
	snap, err := fa.Snapshot()
	if err != nil || fa.Pending() != 0 {
		t.Fatal(err, fa.Pending())
	}
	fa.Apply(entry(2, config("1", "new"))) // applies go on while it is written
	var out sink
	if err := snap.Persist(&out); err != nil {
		t.Fatal(err)
	}
	w := b.Watch()
	_, _, _ = w.Next(t.Context())
	if err := fb.Restore(io.NopCloser(&out)); err != nil {
		t.Fatal(err)
	}
	im, c, err := w.Next(t.Context())
	if err != nil || im.Config(meta.Resource{Type: meta.BrokerResource, Name: "1"})["k"] != "old" || !c.Features || len(c.Configs) != 2 {
		t.Fatalf("restored: %+v %v", c, err)
	}
	fb.Apply(entry(2, config("1", "new")))
	if !meta.Equal(a.Image(), b.Image()) {
		t.Fatal("the two differ")
	}
	// A level of the future: the image stays, and somebody ends the process.
	fb.Apply(entry(3, meta.SetFeatureLevel{Level: meta.MaxLevel + 1}, config("1", "strange")))
	fb.Apply(entry(4, config("1", "stranger")))
	select {
	case <-fb.Failed():
	default:
		t.Fatal("a level that this version does not know was taken")
	}
	if !errors.Is(fb.Err(), meta.ErrTooNew) || b.Image().Index() != 2 {
		t.Fatalf("%v, image of %d", fb.Err(), b.Image().Index())
	}
	bad := sink{fail: true}
	if err := snap.Persist(&bad); err == nil || !bad.cancelled {
		t.Fatalf("a sink that fails: %v, cancelled %v", err, bad.cancelled)
	}
	if err := fb.Restore(io.NopCloser(bytes.NewReader([]byte("nonsense....")))); !errors.Is(err, meta.ErrSnapshot) {
		t.Fatalf("restored from nonsense: %v", err)
	}
	if !meta.Equal(a.Image(), b.Image()) {
		t.Fatal("a bad snapshot moved the image")
	}
}
