package sim

import "slices"

// rec is one record: who it is, and under which leader epoch it was written.
// Its offset is its place.
type rec struct {
	epoch int32
	id    uint32
}

type epochStart struct {
	epoch int32
	start int64
}

// modelLog is the log of one replica with what storage promises: appends at the
// end, an own durable end, an epoch cache that is durable as soon as a leader
// has entered itself, a high watermark that a stop may forget in part.
type modelLog struct {
	recs    []rec
	durable int64
	epochs  []epochStart
	hw      int64
	fence   int32 // no write under an epoch below
}

func (l *modelLog) end() int64 { return int64(len(l.recs)) }

func (l *modelLog) latest() int32 {
	if n := len(l.epochs); n > 0 {
		return l.epochs[n-1].epoch
	}
	return -1
}

// assign notes that epoch begins at the end.
func (l *modelLog) assign(epoch int32) {
	n := len(l.epochs)
	for n > 0 && (l.epochs[n-1].epoch >= epoch || l.epochs[n-1].start >= l.end()) {
		n--
	}
	l.epochs = append(l.epochs[:n], epochStart{epoch, l.end()})
}

func (l *modelLog) append(r rec) {
	if r.epoch > l.latest() {
		l.assign(r.epoch)
	}
	l.recs = append(l.recs, r)
}

// endOf gives the largest epoch not above epoch, and where it ends; -1, -1 when
// epoch is above all that are known.
func (l *modelLog) endOf(epoch int32) (int32, int64) {
	n := len(l.epochs)
	if epoch < 0 || n == 0 || epoch > l.epochs[n-1].epoch {
		return -1, -1
	}
	i, found := slices.BinarySearchFunc(l.epochs, epoch, func(e epochStart, epoch int32) int { return int(e.epoch - epoch) })
	switch {
	case found && i == n-1:
		return epoch, l.end()
	case found:
		return epoch, l.epochs[i+1].start
	case i == 0:
		return epoch, l.epochs[0].start
	}
	return l.epochs[i-1].epoch, l.epochs[i].start
}

// truncate cuts the log, and every epoch that begins at its new end, whatever
// the end was (KAFKA-10706).
func (l *modelLog) truncate(to int64) {
	to = min(to, l.end())
	l.recs = l.recs[:to]
	l.durable = min(l.durable, to)
	l.hw = min(l.hw, to)
	n := len(l.epochs)
	for n > 0 && l.epochs[n-1].start >= to {
		n--
	}
	l.epochs = l.epochs[:n]
}

// recover is what an opening after a stop does: what is there is synced before
// it counts. Epochs that nothing was written under went with the process.
func (l *modelLog) recover(kept int64, hw int64) {
	l.truncate(kept)
	l.durable, l.hw, l.fence = l.end(), min(hw, l.end()), 0
}
