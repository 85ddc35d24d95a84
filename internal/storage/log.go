package storage

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

// What Append, Read and the others answer to a caller who is wrong.
var (
	ErrFenced           = errors.New("a newer leader epoch owns this log")
	ErrOutOfRange       = errors.New("offset is outside the log")
	ErrOutOfOrder       = errors.New("producer sequence is out of order")
	ErrProducerEpoch    = errors.New("producer epoch is stale")
	ErrTxnState         = errors.New("record does not fit the producer's transaction")
	ErrCoordinatorEpoch = errors.New("transaction coordinator epoch is stale")
	ErrTooLarge         = errors.New("batch is larger than a segment")
	ErrDiskFull         = errors.New("log directory is short of space")
	ErrDirFailed        = errors.New("log directory has failed")
	ErrCorrupt          = errors.New("log is corrupt below its durable checkpoint")
	ErrDeleted          = errors.New("log has been deleted")
	ErrClosed           = errors.New("store is closed")
)

// Durability is what an acknowledgement stands for.
type Durability uint8

const (
	// Fsync: the bytes were fsynced; the high watermark counts durable offsets only.
	Fsync Durability = iota
	// ISR: the bytes are in the page cache of the in-sync replicas (Kafka's contract).
	ISR
)

// Config is the part of a topic's settings that its logs obey.
type Config struct {
	Durability         Durability
	SegmentBytes       int64
	SegmentAge         time.Duration // 0: never rolls by age
	SegmentJitter      time.Duration
	IndexIntervalBytes int64
	SegmentIndexBytes  int64
	RetentionAge       time.Duration // negative: for ever
	RetentionBytes     int64         // negative: no limit
	Delete             bool          // cleanup.policy has delete
	Compact            bool          // cleanup.policy has compact
	FileDeleteDelay    time.Duration
	FlushMessages      int64         // forced flush every so many records; 0: none
	FlushInterval      time.Duration // forced flush after so long; 0: none
	LogAppendTime      bool          // message.timestamp.type
}

// Options says where a Store lives and whom it calls.
type Options struct {
	FS   vfs.FS
	Dirs []string // log.dirs, formatted already (meta.properties is not ours)
	// Flushed is called by a directory's flusher once per round, with every log
	// whose durable end rose. It must not block.
	Flushed func([]Flushed)
	// DirFailed is called once when a directory has failed for good (S3).
	DirFailed           func(dir string, err error)
	Clean               bool // the last stop was clean or page-cache safe: see Store.WasClean
	MaxOpenFiles        int
	RetentionInterval   time.Duration // log.retention.check.interval.ms
	CheckpointInterval  time.Duration
	ProducerExpiry      time.Duration // producer.id.expiration.ms
	RecoveryParallelism int
	Logger              *slog.Logger
}

// Flushed tells that everything below End of Log is durable.
type Flushed struct {
	Log *Log
	End int64
}

// Store keeps all logs of one broker.
type Store struct{ _ int }

// Open discovers the logs of every directory and recovers what an unclean stop
// left; logs that were not open at the stop are touched only when first used.
func Open(ctx context.Context, o Options) (*Store, error) { panic("storage: under construction") }

// Log opens the log of a partition. No file is made until the first append.
// Calling it again gives the same Log.
func (s *Store) Log(id step.PartitionID, topic string, c Config) (*Log, error) {
	panic("storage: under construction")
}

// Found lists the partitions that are on disk, by directory: for the start-up
// check against the metadata (strays are quarantined, never deleted).
func (s *Store) Found() []Stored { panic("storage: under construction") }

// Stored is a partition as found on disk.
type Stored struct {
	ID    step.PartitionID
	Topic string
	Dir   string
	Bytes int64
}

// Quarantine renames a partition's directory to <name>.<uuid>-stray and forgets it.
func (s *Store) Quarantine(id step.PartitionID) error { panic("storage: under construction") }

// Dirs tells the state of every log directory.
func (s *Store) Dirs() []DirState { panic("storage: under construction") }

// DirState is one log directory. Err is set once it has failed.
type DirState struct {
	Path        string
	Free, Total int64
	Full        bool
	Err         error
	Logs        []*Log
}

// Close flushes everything, writes indexes, producer states and checkpoints,
// and gives the files back. After a clean Close the next Open scans nothing.
func (s *Store) Close() error { panic("storage: under construction") }

// Log is the log of one partition.
type Log struct{ _ int }

func (l *Log) ID() step.PartitionID   { panic("storage: under construction") }
func (l *Log) Topic() string          { panic("storage: under construction") }
func (l *Log) Dir() string            { panic("storage: under construction") }
func (l *Log) Durability() Durability { panic("storage: under construction") }

// SetConfig takes new settings; they hold from the next append on.
func (l *Log) SetConfig(c Config) { panic("storage: under construction") }

// Fence makes epoch the only one that may append, notes where it starts in the
// epoch cache when it is this broker's own leadership (lead), durably, and
// returns the end. Epochs never go back.
func (l *Log) Fence(epoch int32) (end int64, err error) { panic("storage: under construction") }

// Lead is Fence for a leader: (epoch, end) is in the epoch cache, durably, before it returns.
func (l *Log) Lead(epoch int32) (end int64, err error) { panic("storage: under construction") }

// Append writes batches as the leader of epoch: it assigns offsets, patches
// base offset and leader epoch in place, checks producer sequences. batches are
// one or more whole v2 batches whose CRC and shape the caller has verified.
// With several, the first that is refused ends the append: Appended says how far.
func (l *Log) Append(epoch int32, batches []byte) (Appended, error) {
	panic("storage: under construction")
}

// Replicate writes batches as a follower: offsets are kept and must rise.
func (l *Log) Replicate(epoch int32, batches []byte) (Appended, error) {
	panic("storage: under construction")
}

// Appended is what an append did.
type Appended struct {
	Base       int64 // offset of the first record (of the original, for a duplicate)
	Next       int64 // offset after the last: committed once the high watermark reaches it
	AppendTime int64 // ms, or -1 when the topic keeps the producer's times
	Start      int64 // log start offset
	Duplicate  bool  // already in the log: nothing was written
}

// View is one consistent look at the log. Readers load it once and never lock.
// Start ≤ HighWatermark ≤ End, Durable ≤ End, LastStable ≤ HighWatermark.
type View struct {
	Start, Durable, End       int64
	HighWatermark, LastStable int64
	Epoch                     int32 // the epoch that may append
}

// View loads the current view.
func (l *Log) View() View { panic("storage: under construction") }

// Commit raises the high watermark. It never lowers it.
func (l *Log) Commit(hw int64) { panic("storage: under construction") }

// ReadSpec says what to read.
type ReadSpec struct {
	From     int64
	Limit    int64 // no batch at or above this offset (high watermark, last stable offset or end)
	MaxBytes int
	// FirstWhole: the first batch comes whole even if it is larger than MaxBytes.
	FirstWhole bool
}

// Read returns the range of whole batches that starts with the one that holds
// From. An empty range is no error. ErrOutOfRange: From < start or From > end.
// The caller must Release the range.
func (l *Log) Read(r ReadSpec) (Range, error) { panic("storage: under construction") }

// Range is a piece of one segment's file. It implements wire.FileRange. While
// it is held the file stays readable, even if the segment is deleted.
type Range struct{ _ int }

func (r *Range) Len() int64 { panic("storage: under construction") }

// WriteTo sends the range, by sendfile where w is a raw TCP connection.
func (r *Range) WriteTo(w io.Writer) (int64, error) { panic("storage: under construction") }

// ReadAll reads the range into memory, for those who must look inside.
func (r *Range) ReadAll(into []byte) ([]byte, error) { panic("storage: under construction") }
func (r *Range) Release()                            { panic("storage: under construction") }

// At is an offset with what is known of it. Offset -1: none.
type At struct {
	Offset    int64
	Timestamp int64
	Epoch     int32
}

// FirstAtOrAfter finds the first record whose timestamp is ts or later, below limit.
func (l *Log) FirstAtOrAfter(ts, limit int64) (At, error) { panic("storage: under construction") }

// MaxTimestamp finds the first record that has the largest timestamp below limit.
func (l *Log) MaxTimestamp(limit int64) (At, error) { panic("storage: under construction") }

// EpochAt is the leader epoch of the record at offset (or of the end), -1 if unknown.
func (l *Log) EpochAt(offset int64) int32 { panic("storage: under construction") }

// EndOf gives the largest epoch that is not above epoch and the offset where it
// ends (KIP-101, KIP-279, KAFKA-7415); -1, -1 when there is none.
func (l *Log) EndOf(epoch int32) (gotEpoch int32, end int64) { panic("storage: under construction") }

// Truncate cuts everything from offset to on. It waits for a sync in flight and
// lowers the durable end first.
func (l *Log) Truncate(to int64) error { panic("storage: under construction") }

// DeleteBefore raises the log start offset (DeleteRecords); not above the high watermark.
func (l *Log) DeleteBefore(offset int64) (start int64, err error) {
	panic("storage: under construction")
}

// Aborted lists the aborted transactions that overlap [from, to), first offset ascending.
func (l *Log) Aborted(from, to int64) ([]record.Aborted, error) { panic("storage: under construction") }

// Producer is the state of one producer id (DescribeProducers).
type Producer struct {
	ID               int64
	Epoch            int16
	LastSequence     int32
	LastTimestamp    int64
	CoordinatorEpoch int32
	TxnStart         int64 // first offset of the open transaction, or -1
}

// Producers lists the live producers, by id.
func (l *Log) Producers() []Producer { panic("storage: under construction") }

// Size is the number of bytes of all segments.
func (l *Log) Size() int64 { panic("storage: under construction") }

// Segments is the number of segments.
func (l *Log) Segments() int { panic("storage: under construction") }

// Delete fences the log, renames its directory to <name>.<uuid>-delete and
// unlinks it after the delay, when the last reader has gone.
func (l *Log) Delete(delay time.Duration) error { panic("storage: under construction") }
