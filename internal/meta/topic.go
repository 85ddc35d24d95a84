package meta

import (
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/step"
)

// partChunk is how many partitions one chunk of a topic holds: a change copies
// one chunk (12 KiB) and the list of chunks.
const partChunk = 512

// Topic is one topic. Immutable.
type Topic struct {
	ID       step.TopicID
	Name     string
	Internal bool   // __consumer_offsets and the like: clients cannot delete or write it
	Deleted  uint64 // raft index of its deletion; 0: it lives

	minISR int8 // the setting: 0 by the default rule
	n      int32
	chunks [][]part
}

// Partitions is the number of partitions.
func (t *Topic) Partitions() int32 { return t.n }

// Partition gives partition i as a value.
func (t *Topic) Partition(i int32) (Partition, bool) {
	if i < 0 || i >= t.n {
		return Partition{}, false
	}
	return t.at(i).public(), true
}

// MinISRSetting is min.insync.replicas as the partitions were told: 0 means the
// default rule (2 when the replication factor is 3 or more, else 1).
func (t *Topic) MinISRSetting() int8 { return t.minISR }

func (t *Topic) at(i int32) *part { return &t.chunks[i/partChunk][i%partChunk] }

// grow returns a topic with more partitions behind those of t. Only its last
// chunk is copied.
func (t *Topic) grow(more []part) *Topic {
	next := *t
	next.chunks = append(make([][]part, 0, len(t.chunks)+len(more)/partChunk+1), t.chunks...)
	for _, p := range more {
		if next.n%partChunk == 0 {
			size := min(partChunk, len(more))
			next.chunks = append(next.chunks, make([]part, 0, size))
		} else if next.n == t.n { // the first one shares the last chunk of t
			last := len(next.chunks) - 1
			next.chunks[last] = append(make([]part, 0, min(partChunk, len(t.chunks[last])+len(more))), t.chunks[last]...)
		}
		last := len(next.chunks) - 1
		next.chunks[last] = append(next.chunks[last], p)
		next.n++
	}
	return &next
}

// maxNameLength is Kafka's: a directory name of 255 with room for a suffix.
const maxNameLength = 249

// CheckName says what is wrong with a topic name, in words fit for a client;
// "" when nothing is.
func CheckName(name string) string {
	switch {
	case name == "":
		return "the topic name is empty"
	case name == "." || name == "..":
		return "'.' and '..' cannot be topic names"
	case len(name) > maxNameLength:
		return "the topic name is longer than 249 characters"
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return "the topic name has a character other than ASCII letters, digits, '.', '_' and '-'"
		}
	}
	return ""
}

// maxDirName is the longest name of a file that common systems take.
const maxDirName = 255

// fits says whether the last of n partitions of a topic can have a directory:
// <topic>-<partition>.
func fits(name string, n int) bool {
	return len(name)+1+len(strconv.Itoa(n-1)) <= maxDirName
}

// folded is the name as metrics see it: a.b and a_b would be one. Names without
// either character collide with nobody and need no entry.
func folded(name string) (string, bool) {
	if strings.IndexByte(name, '.') < 0 && strings.IndexByte(name, '_') < 0 {
		return "", false
	}
	return strings.ReplaceAll(name, ".", "_"), true
}
