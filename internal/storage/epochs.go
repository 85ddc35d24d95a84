package storage

import (
	"encoding/binary"
	"sort"
)

// epochStart says at which offset a leader epoch begins. Both rise strictly (I8).
type epochStart struct {
	epoch int32
	start int64
}

// assignEpoch notes that epoch begins at start. Entries that this contradicts
// go: an epoch that wrote nothing, or what a truncation left. The slice is new.
func assignEpoch(epochs []epochStart, epoch int32, start int64) []epochStart {
	keep := len(epochs)
	for keep > 0 && (epochs[keep-1].epoch >= epoch || epochs[keep-1].start >= start) {
		keep--
	}
	out := make([]epochStart, keep, keep+1)
	copy(out, epochs)
	return append(out, epochStart{epoch, start})
}

// latestEpoch is the newest epoch in the cache, -1 if it is empty.
func latestEpoch(epochs []epochStart) int32 {
	if len(epochs) == 0 {
		return -1
	}
	return epochs[len(epochs)-1].epoch
}

// cutEpochs forgets epochs that begin at end or later (also when end is the log
// end: KAFKA-10706).
func cutEpochs(epochs []epochStart, end int64) []epochStart {
	n := sort.Search(len(epochs), func(i int) bool { return epochs[i].start >= end })
	return epochs[:n:n]
}

// raiseEpochs forgets epochs that end at or below start; the one that holds
// start begins there now.
func raiseEpochs(epochs []epochStart, start int64) []epochStart {
	n := sort.Search(len(epochs), func(i int) bool { return epochs[i].start > start })
	if n == 0 || epochs[n-1].start == start && n == 1 {
		return epochs
	}
	out := append([]epochStart(nil), epochs[n-1:]...)
	out[0].start = start
	return out
}

// LatestEpoch is the newest epoch that the log knows, -1 if it knows none. It may
// be one that has written nothing: a follower names it, so that the leader makes
// it forget what only it knows (KAFKA-10706).
func (l *Log) LatestEpoch() int32 {
	v := l.view.enter()
	defer l.view.leave()
	return latestEpoch(v.epochs)
}

// EpochAt is the leader epoch of the record at offset (or of the end), -1 if unknown.
func (l *Log) EpochAt(offset int64) int32 {
	v := l.view.enter()
	defer l.view.leave()
	return epochAt(v.epochs, offset)
}

func epochAt(epochs []epochStart, offset int64) int32 {
	i := sort.Search(len(epochs), func(i int) bool { return epochs[i].start > offset })
	if i == 0 {
		return -1
	}
	return epochs[i-1].epoch
}

// EndOf gives the largest epoch that is not above epoch and the offset where it
// ends (KIP-101, KIP-279); -1, -1 when epoch is above all that are known. An
// epoch below the first is answered by itself and the start of the first
// (KAFKA-7415).
func (l *Log) EndOf(epoch int32) (gotEpoch int32, end int64) {
	v := l.view.enter()
	defer l.view.leave()
	if epoch < 0 || len(v.epochs) == 0 {
		return -1, -1
	}
	i := sort.Search(len(v.epochs), func(i int) bool { return v.epochs[i].epoch > epoch })
	switch {
	case i == len(v.epochs) && v.epochs[i-1].epoch == epoch:
		return epoch, v.End
	case i == len(v.epochs):
		return -1, -1
	case i == 0:
		return epoch, v.epochs[0].start
	}
	return v.epochs[i-1].epoch, v.epochs[i].start
}

// Payload of the epoch cache file: count 4, then per epoch: epoch 4 | start offset 8.
func epochsFile(epochs []epochStart) []byte {
	p := make([]byte, frameHeader, frameHeader+4+12*len(epochs))
	p = binary.BigEndian.AppendUint32(p, uint32(len(epochs)))
	for _, e := range epochs {
		p = binary.BigEndian.AppendUint32(p, uint32(e.epoch))
		p = binary.BigEndian.AppendUint64(p, uint64(e.start))
	}
	return epochsKind.seal(p)
}

func parseEpochs(p []byte) ([]epochStart, error) {
	if len(p) < 4 || uint64(len(p)-4) != 12*uint64(binary.BigEndian.Uint32(p)) {
		return nil, errBadFrame
	}
	var out []epochStart
	for p = p[4:]; len(p) > 0; p = p[12:] {
		e := epochStart{int32(binary.BigEndian.Uint32(p)), int64(binary.BigEndian.Uint64(p[4:]))}
		if n := len(out); e.epoch < 0 || e.start < 0 || n > 0 && (e.epoch <= out[n-1].epoch || e.start <= out[n-1].start) {
			return nil, errBadFrame
		}
		out = append(out, e)
	}
	return out, nil
}
