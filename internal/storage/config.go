package storage

import "time"

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
	MinDirtyRatio      float64       // min.cleanable.dirty.ratio
	MinCompactionLag   time.Duration // no younger segment is compacted
	MaxCompactionLag   time.Duration // an older record asks for a pass; 0: none does
	DeleteRetention    time.Duration // of tombstones and markers that compaction has seen
	FileDeleteDelay    time.Duration
	FlushMessages      int64         // forced flush every so many records; 0: none
	FlushInterval      time.Duration // forced flush after so long; 0: none
	LogAppendTime      bool          // message.timestamp.type
}

// Cleaner is how compaction works, in each directory.
type Cleaner struct {
	Backoff  time.Duration // from when a segment was sealed until somebody looks
	KeyBytes int64         // for the keys of one pass
	// BytesPerSecond bounds what is read and written; 0: nothing does.
	BytesPerSecond float64
}

// Appended is what an append did.
type Appended struct {
	Base       int64 // offset of the first record (of the original, for a duplicate)
	Next       int64 // offset after the last: committed once the high watermark reaches it
	AppendTime int64 // ms, or -1 when the topic keeps the producer's times
	Start      int64 // log start offset
	Batches    int   // how many of the given batches were taken
	Duplicate  bool  // already in the log: nothing was written
}

// View is one consistent look at the log. Readers load it once and never lock.
// Start ≤ HighWatermark ≤ End, Durable ≤ End, LastStable ≤ HighWatermark.
type View struct {
	Start, Durable, End       int64
	HighWatermark, LastStable int64
	Epoch                     int32 // the epoch that may append
}

// At is an offset with what is known of it. Offset -1: none.
type At struct {
	Offset    int64
	Timestamp int64
	Epoch     int32
}

// Producer is the state of one producer id (DescribeProducers).
type Producer struct {
	ID               int64
	Epoch            int16
	LastSequence     int32
	LastTimestamp    int64
	CoordinatorEpoch int32
	TxnStart         int64 // first offset of the open transaction, or -1
}
