package step

import (
	"encoding/base64"
	"fmt"
	"time"
)

// Instant is a moment in nanoseconds on the local monotonic clock. It is never
// compared across brokers and never written to disk.
type Instant int64

// Add returns the instant d later.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns the time from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

// TopicID is Kafka's 16-byte topic id (KIP-516). The zero value means "none".
type TopicID [16]byte

// String renders the id as Kafka prints it: 22 characters of unpadded base64url.
func (t TopicID) String() string { return base64.RawURLEncoding.EncodeToString(t[:]) }

// IsZero reports whether t is the id that names no topic.
func (t TopicID) IsZero() bool { return t == TopicID{} }

// ParseTopicID reads what String writes.
func ParseTopicID(s string) (TopicID, error) {
	var t TopicID
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(t) {
		return t, fmt.Errorf("%q is not a topic id: 22 characters of base64url are expected", s)
	}
	copy(t[:], b)
	return t, nil
}

// PartitionID names one partition for ever: a recreated topic has another id.
type PartitionID struct {
	Topic TopicID
	Index int32
}

func (p PartitionID) String() string { return fmt.Sprintf("%s-%d", p.Topic, p.Index) }
