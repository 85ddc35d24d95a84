package storage

import (
	"fmt"
	"path"
)

// Fence makes epoch the only one that may append, and returns the end. Epochs
// never go back.
func (l *Log) Fence(epoch int32) (end int64, err error) { return l.fence(epoch, false) }

// Lead is Fence for a leader: (epoch, end) is in the epoch cache, durably, before
// it returns. An empty log keeps it in memory: its first batch brings it to disk.
func (l *Log) Lead(epoch int32) (end int64, err error) {
	if end, err = l.fence(epoch, true); err != nil {
		return end, err
	}
	return end, l.saveEpochs()
}

func (l *Log) fence(epoch int32, lead bool) (end int64, err error) {
	l.writeMu.Lock()
	defer l.writeMu.Unlock()
	if err := l.usable(); err != nil {
		return 0, err
	}
	v := l.view.Load()
	if epoch < v.Epoch || lead && epoch < latestEpoch(l.tail.epochs) {
		return v.End, fmt.Errorf("epoch %d, %s is at epoch %d: %w", epoch, l.name(), max(v.Epoch, latestEpoch(v.epochs)), ErrFenced)
	}
	if lead && epoch > latestEpoch(l.tail.epochs) {
		l.tail.epochs = assignEpoch(l.tail.epochs, epoch, l.tail.end)
	}
	l.change(func(v *view) { v.Epoch, v.epochs = epoch, l.tail.epochs })
	return l.tail.end, nil
}

// saveEpochs writes the epoch cache durably, if the log has files at all.
func (l *Log) saveEpochs() error {
	l.files.enter()
	defer l.files.leave()
	if !l.hasFiles() {
		return nil
	}
	if err := l.usable(); err != nil {
		return err
	}
	return l.saveEpochsGated()
}

// saveEpochsGated writes the epoch cache unless it is on disk as it is.
func (l *Log) saveEpochsGated() error {
	epochs := l.view.Load().epochs
	if l.written.hasEpochs(epochs) {
		return nil
	}
	err := l.home().replaceFiles([]smallFile{{path.Join(l.path(), epochsName), epochsFile(epochs)}})
	if err != nil {
		return l.home().sort(err)
	}
	l.written.epochs, l.written.epochsWrong = epochs, false
	return nil
}
