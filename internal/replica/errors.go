package replica

import (
	"errors"

	"github.com/brokerd/brokerd/internal/isr"
)

// What a partition answers to those who ask it. Errors of storage and record
// pass through as they are.
var (
	ErrNotLeader          = errors.New("this broker does not lead the partition")
	ErrUnknownPartition   = errors.New("this broker has no such partition")
	ErrFencedEpoch        = isr.ErrFencedEpoch
	ErrUnknownEpoch       = isr.ErrUnknownEpoch
	ErrNotEnoughReplicas  = errors.New("fewer replicas are in sync than min.insync.replicas asks for")
	ErrNotEnoughAfter     = errors.New("the record was written, but fewer replicas are in sync now than min.insync.replicas asks for")
	ErrTimedOut           = errors.New("the record was written, but not committed in time")
	ErrOffsetNotAvailable = errors.New("the new leader does not know yet what is committed")
	ErrBroken             = errors.New("the partition is fenced: a data-safety rule was broken")
	ErrBatchTooLarge      = errors.New("batch is larger than max.message.bytes")
	ErrInvalidRecord      = errors.New("record is invalid")
	ErrNotOneBatch        = errors.New("a partition of a produce request needs exactly one record batch")
	ErrInvalidTimestamp   = errors.New("timestamp is out of range")
	ErrCompactOnly        = errors.New("records of a topic that is only compacted cannot be deleted")
	ErrNoTransactionalID  = errors.New("the batch is part of a transaction, but the request names no transactional id")
	ErrNoTransactions     = errors.New("transactions are not served by this broker yet")
)

// BatchError is a refused batch, with the records that were the reason.
type BatchError struct {
	Err     error // one of the sentinels
	Text    string
	Records []RecordFault
}

// RecordFault is one refused record, by its position in the batch.
type RecordFault struct {
	Index int32
	Text  string
}

func (e *BatchError) Error() string { return e.Text }
func (e *BatchError) Unwrap() error { return e.Err }
