package storage

import "time"

// FirstAtOrAfter finds the first record whose timestamp is ts or later, below limit.
func (l *Log) FirstAtOrAfter(ts, limit int64) (At, error) { panic("storage: under construction") }

// MaxTimestamp finds the first record that has the largest timestamp below limit.
func (l *Log) MaxTimestamp(limit int64) (At, error) { panic("storage: under construction") }

// Truncate cuts everything from offset to on. It waits for a sync in flight and
// lowers the durable end first.
func (l *Log) Truncate(to int64) error { panic("storage: under construction") }

// DeleteBefore raises the log start offset (DeleteRecords); not above the high watermark.
func (l *Log) DeleteBefore(offset int64) (start int64, err error) {
	panic("storage: under construction")
}

func (d *logDir) sweep(now time.Time) {}

func (k *keeper) giveBackIdle(now time.Time) bool { return false }
