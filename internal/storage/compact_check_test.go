package storage

import (
	"fmt"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/record"
)

func (m *keyedLog) check() {
	v := m.l.View()
	if v.End != int64(len(m.all)) {
		m.failf("end is %d, %d were written", v.End, len(m.all))
	}
	if err := sealedWhole(m.l); err != nil {
		m.failf("scrub: %v", err)
	}
	got := m.readAll(v)
	newest := map[string]int64{}
	for o, k := range m.all {
		if !k.marker && !k.none && !k.aborted && int64(o) < v.LastStable {
			newest[k.key] = int64(o)
		}
	}
	cleaned := m.l.cleaned()
	gone := 0
	for o := range m.all {
		k, at := m.all[o], int64(o)
		if at < v.Start {
			continue
		}
		_, there := got[at]
		if !there && !k.marker {
			gone++
			if k.aborted {
				m.cover.hit("aborted-gone")
			}
		}
		if !there && k.marker {
			m.cover.hit("marker-gone")
		}
		last := at >= v.LastStable || !k.none && !k.aborted && !k.marker && newest[k.key] == at
		switch {
		case there:
		case at >= m.touched:
			m.failf("offset %d was never cleaned (%d), and is gone: %+v", at, m.touched, k)
		case last && !k.tomb:
			m.failf("the newest record of %s at %d is gone (cleaned to %d, stable %d): %+v", k.key, at, cleaned, v.LastStable, k)
		case last && k.tomb:
			m.cover.hit("tombstone-gone")
			if time.Now().UnixMilli()-k.ms < m.c.DeleteRetention.Milliseconds() {
				m.failf("the tombstone of %s at %d is gone too early", k.key, at)
			}
			for older := range at {
				if _, there := got[older]; there && m.all[older].key == k.key && !m.all[older].none && !m.all[older].aborted {
					m.failf("%s at %d is back: its tombstone at %d is gone", k.key, older, at)
				}
			}
		}
	}
	if gone > 0 {
		m.cover.hit("records-gone")
	}
	m.checkAborted(v, got)
	m.checkTimes(v, got)
}

// readAll reads all that is there, by offset, and compares it with what was written.
func (m *keyedLog) readAll(v View) map[int64]record.Record {
	got := map[int64]record.Record{}
	for from := v.Start; from < v.End; {
		r, err := m.l.Read(ReadSpec{From: from, Limit: v.End, MaxBytes: 100 + m.rng.IntN(2000), FirstWhole: true})
		if err != nil {
			m.failf("read %d: %v", from, err)
		}
		p, err := r.ReadAll(nil)
		r.Release()
		if err != nil {
			m.failf("read %d: %v", from, err)
		}
		if len(p) == 0 {
			m.failf("nothing is there from %d to %d", from, v.End)
		}
		for len(p) > 0 {
			var b record.Batch
			if b, p, err = record.Next(p); err != nil {
				m.failf("read %d: %v", from, err)
			}
			if err := b.VerifyStored(); err != nil || b.NextOffset() <= from {
				m.failf("batch %d to %d at %d: %v", b.BaseOffset(), b.LastOffset(), from, err)
			}
			from = b.NextOffset()
			err := b.Each(record.Limits{}, func(r record.Record) error {
				k := m.all[r.Offset]
				if b.Control() != k.marker || !k.marker && (string(r.Value) != k.value || r.Timestamp != k.ms || (r.Value == nil) != k.tomb || (r.Key == nil) != k.none) {
					return fmt.Errorf("offset %d has %q %q at %d, written was %+v", r.Offset, r.Key, r.Value, r.Timestamp, k)
				}
				got[r.Offset] = record.Record{Timestamp: r.Timestamp}
				return nil
			})
			if err != nil {
				m.failf("%v", err)
			}
		}
	}
	return got
}

// checkAborted: what was aborted and is there yet is in the index, nothing else is.
func (m *keyedLog) checkAborted(v View, got map[int64]record.Record) {
	list, err := m.l.Aborted(v.Start, v.LastStable)
	if err != nil {
		m.failf("aborted: %v", err)
	}
	for o := range got {
		k := m.all[o]
		if k.marker || !strings.HasPrefix(k.value, "txn") || o >= v.LastStable {
			continue
		}
		var id int64
		_, _ = fmt.Sscanf(k.value, "txn%d ", &id)
		hit := false
		for _, a := range list {
			hit = hit || a.ProducerID == id && o >= a.First && o <= a.Last
		}
		if hit != k.aborted {
			m.failf("offset %d of producer %d: aborted is %t, the index says %t: %v", o, id, k.aborted, hit, list)
		}
	}
}

// checkTimes: the first record at or after a moment is found among what is left.
func (m *keyedLog) checkTimes(v View, got map[int64]record.Record) {
	if len(m.all) == 0 {
		return
	}
	ts := m.all[m.rng.IntN(len(m.all))].ms
	want := int64(-1)
	for o, r := range got {
		if o >= v.Start && r.Timestamp >= ts && (want < 0 || o < want) {
			want = o
		}
	}
	if at, err := m.l.FirstAtOrAfter(ts, v.End); err != nil || at.Offset != want {
		m.failf("first at or after %d is %+v, not %d: %v", ts, at, want, err)
	}
}
