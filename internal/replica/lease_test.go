package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/record"
)

// A lease appends without waiting, hears of the commit, scans what there was when
// it began, and ends with its leader epoch.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := startNode(t, slowSync(t, time.Second))
		defer n.stop()
		p := n.partition(n.topic("t", 1, nil), 0)
		if _, err := p.Lease(p.Epoch() + 1); !errors.Is(err, ErrUnknownEpoch) {
			t.Errorf("a lease of the future: %v", err)
		}
		l, err := p.Lease(p.Epoch())
		if err != nil {
			t.Fatal(err)
		}
		scan := func(l *Lease) (got string) {
			err := l.Scan(context.Background(), func(offset int64, r record.Record) error {
				got += fmt.Sprintf("%d%s ", offset, r.Value)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			return got
		}
		if got := scan(l); got != "" {
			t.Errorf("an empty log has %q", got)
		}
		base, end, err := l.Append(batch(t, 3, record.Spec{}))
		if base != 0 || end != 3 || err != nil {
			t.Fatal(base, end, err)
		}
		heard := make(chan error, 2)
		l.Release(3, func(err error, _ any) { heard <- err })
		synctest.Wait()
		if len(heard) != 0 || l.Committed() != 0 {
			t.Error("committed before the disk has it")
		}
		if err := <-heard; err != nil || l.Committed() != 3 {
			t.Error(err, l.Committed())
		}
		l.Release(3, func(err error, _ any) { heard <- err })
		if err := <-heard; err != nil {
			t.Error(err)
		}
		if got := scan(l); got != "" {
			t.Errorf("written under the lease itself, and scanned: %q", got)
		}
		again, err := p.Lease(p.Epoch()) // whoever begins anew in this epoch has forgotten it
		if err != nil {
			t.Fatal(err)
		}
		if got := scan(again); strings.Count(got, " ") != 3 {
			t.Errorf("a second lease of the epoch scans %q of three records", got)
		}
		_, _, err = l.Append(batch(t, 1, record.Spec{}))
		if err != nil {
			t.Fatal(err)
		}
		l.Release(4, func(err error, _ any) { heard <- err })
		n.m.Shutdown()
		if err := <-heard; err == nil {
			t.Error("the leadership ended, and it was called committed")
		}
		if _, _, err := l.Append(batch(t, 1, record.Spec{})); err == nil || l.Leads() {
			t.Error("appended without a leadership")
		}
	})
}

// What a broker finds when it starts again is scanned once it is committed.
func TestLeaseAfterARestart(t *testing.T) {
	n := startNode(t, slowSync(t, 0))
	topic := n.topic("t", 1, nil)
	p := n.partition(topic, 0)
	l, err := p.Lease(p.Epoch())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, _, err := l.Append(batch(t, 2, record.Spec{})); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	l.Release(6, func(err error, _ any) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	n.stop()
	n.boot()
	defer n.stop()
	p = n.partition(topic, 0)
	if l, err = p.Lease(p.Epoch()); err != nil {
		t.Fatal(err)
	}
	var offsets []int64
	if err := l.Scan(t.Context(), func(offset int64, r record.Record) error {
		offsets = append(offsets, offset)
		return nil
	}); err != nil || fmt.Sprint(offsets) != "[0 1 2 3 4 5]" {
		t.Error(offsets, err)
	}
}
