package storage

import (
	"sort"

	"github.com/brokerd/brokerd/internal/record"
)

// view is what readers see: one moment of the log. It is never written to while
// somebody may see it (latest). Its slices share arrays with later views, which only append.
type view struct {
	View
	segs   []*segment // by base; the last is active. None before the first append
	pos    int64      // size of the active segment
	bytes  int64      // size of all segments
	index  []indexEntry
	places []place // newest batches of the active segment, without a gap up to End
	summary
	epochs  []epochStart
	txns    []txn
	aborted []record.Aborted // of the active segment
}

// segmentAt finds the segment that would hold offset: the last whose base is not above it.
func (v *view) segmentAt(offset int64) int {
	i := sort.Search(len(v.segs), func(i int) bool { return v.segs[i].base > offset })
	return max(i-1, 0)
}

// endOf is the offset after the last that segment i may hold.
func (v *view) endOf(i int) int64 {
	if i+1 < len(v.segs) {
		return v.segs[i+1].base
	}
	return v.End
}

// sizeOf is the size of segment i in this view.
func (v *view) sizeOf(i int) int64 {
	if i+1 < len(v.segs) {
		return v.segs[i].size
	}
	return v.pos
}

// abortedOf is the aborted index of segment i in this view.
func (v *view) abortedOf(i int) []record.Aborted {
	if i+1 < len(v.segs) {
		return v.segs[i].aborted
	}
	return v.aborted
}

// settle makes the last stable offset follow from the rest.
func (v *view) settle() { v.LastStable = lastStable(v.HighWatermark, v.txns) }

// View copies the current view.
func (l *Log) View() View {
	v := l.view.enter()
	defer l.view.leave()
	return v.View
}

// Commit raises the high watermark. It never lowers it, and never passes the end.
func (l *Log) Commit(hw int64) {
	l.view.update(func(next *view) bool {
		to := min(hw, next.End)
		if to <= next.HighWatermark {
			return false
		}
		next.HighWatermark = to
		next.settle()
		return true
	})
}

// change publishes a view that differs by f. f may run more than once.
func (l *Log) change(f func(*view)) {
	l.view.update(func(next *view) bool {
		f(next)
		next.settle()
		return true
	})
}
