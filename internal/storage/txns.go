package storage

import "math"

// txn is a transaction that readers of committed data must still wait for: it
// is open, or its marker is not below the high watermark yet.
type txn struct {
	producer int64
	first    int64
	marker   int64 // openTxn while it is open
}

const openTxn = math.MaxInt64

// lastStable is the offset below which every transaction is decided for all.
// txns are ordered by first offset.
func lastStable(hw int64, txns []txn) int64 {
	for _, t := range txns {
		if t.marker >= hw {
			return min(hw, t.first)
		}
	}
	return hw
}

// beginTxn adds an open transaction. The slice is new: older views keep theirs.
func beginTxn(txns []txn, producer, first int64) []txn {
	out := make([]txn, len(txns), len(txns)+1)
	copy(out, txns)
	return append(out, txn{producer, first, openTxn})
}

// endTxn notes the marker of a producer's open transaction and forgets those
// that were decided below the high watermark.
func endTxn(txns []txn, producer, marker, hw int64) []txn {
	out := make([]txn, 0, len(txns))
	for _, t := range txns {
		if t.producer == producer && t.marker == openTxn {
			t.marker = marker
		}
		if t.marker >= hw {
			out = append(out, t)
		}
	}
	return out
}

// stableWithout is the last stable offset as Kafka notes it in the aborted
// index: the first offset of the oldest open transaction of another producer, or
// the offset after the marker.
func stableWithout(txns []txn, producer, marker int64) int64 {
	for _, t := range txns {
		if t.producer != producer && t.marker == openTxn {
			return t.first
		}
	}
	return marker + 1
}
