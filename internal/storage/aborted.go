package storage

import (
	"encoding/binary"
	"sort"

	"github.com/brokerd/brokerd/internal/record"
)

// Kafka's .txnindex, one entry per aborted transaction whose marker is in the
// segment, in the order of the markers:
//
//	version 2 (0) | producer id 8 | first offset 8 | last offset (marker) 8 | last stable offset 8
//
// There is no file where there is no entry.
const abortedEntryBytes = 34

func abortedFile(entries []record.Aborted) []byte {
	p := make([]byte, 0, len(entries)*abortedEntryBytes)
	for _, a := range entries {
		p = binary.BigEndian.AppendUint16(p, 0)
		for _, n := range []int64{a.ProducerID, a.First, a.Last, a.LastStable} {
			p = binary.BigEndian.AppendUint64(p, uint64(n))
		}
	}
	return p
}

func parseAborted(p []byte) ([]record.Aborted, error) {
	if len(p)%abortedEntryBytes != 0 {
		return nil, errBadFrame
	}
	var out []record.Aborted
	for ; len(p) > 0; p = p[abortedEntryBytes:] {
		d := decoder{p: p[:abortedEntryBytes]}
		if v := d.int16(); v != 0 {
			return nil, &NewerError{What: "aborted transactions", Version: uint32(uint16(v)), Known: 0}
		}
		a := record.Aborted{ProducerID: d.int64(), First: d.int64(), Last: d.int64(), LastStable: d.int64()}
		if n := len(out); a.First < 0 || a.Last < a.First || n > 0 && a.Last <= out[n-1].Last {
			return nil, errBadFrame
		}
		out = append(out, a)
	}
	return out, nil
}

// Aborted lists the aborted transactions that overlap [from, to), first offset ascending.
func (l *Log) Aborted(from, to int64) ([]record.Aborted, error) {
	if err := l.usable(); err != nil {
		return nil, err
	}
	v := l.view.Load()
	if len(v.segs) == 0 {
		return nil, nil
	}
	var out []record.Aborted
	for i := v.segmentAt(from); i < len(v.segs); i++ {
		for _, a := range v.abortedOf(i) {
			if a.Last >= from && a.First < to {
				out = append(out, a)
			}
			if a.LastStable >= to {
				// What was aborted later began at or above this: it is not in the range.
				sortAborted(out)
				return out, nil
			}
		}
	}
	sortAborted(out)
	return out, nil
}

func sortAborted(list []record.Aborted) {
	sort.Slice(list, func(i, j int) bool { return list[i].First < list[j].First })
}
