package storage

import "errors"

// What Append, Read and the others answer to a caller who is wrong.
var (
	ErrFenced           = errors.New("a newer leader epoch owns this log")
	ErrOutOfRange       = errors.New("offset is outside the log")
	ErrOutOfOrder       = errors.New("producer sequence is out of order")
	ErrProducerEpoch    = errors.New("producer epoch is stale")
	ErrTxnState         = errors.New("record does not fit the producer's transaction")
	ErrCoordinatorEpoch = errors.New("transaction coordinator epoch is stale")
	ErrTooLarge         = errors.New("batch is larger than a segment")
	ErrDiskFull         = errors.New("disk is full")
	ErrNoDescriptors    = errors.New("too many files and connections are open; raise the limit of open files")
	ErrDirFailed        = errors.New("log directory has failed")
	ErrCorrupt          = errors.New("log is corrupt below its durable checkpoint")
	ErrNewer            = errors.New("a newer release wrote the file")
	ErrUnreadable       = errors.New("log cannot be read")
	ErrDeleted          = errors.New("log has been deleted")
	ErrNoDir            = errors.New("no such log directory")
	ErrNameTooLong      = errors.New("the name of the topic is too long")
	ErrClosed           = errors.New("store is closed")
)
