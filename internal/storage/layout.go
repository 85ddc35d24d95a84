package storage

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Names of the files of a partition's directory. The first six are Kafka's.
//
//	<log.dir>/brokerd-checkpoint brokerd-failed
//	<log.dir>/<topic>-<partition>/partition.metadata
//	                              00000000000000000000.log .index .timeindex .txnindex
//	                              leader-epochs producer-state
const (
	logSuffix       = ".log"
	indexSuffix     = ".index"
	timeIndexSuffix = ".timeindex"
	abortedSuffix   = ".txnindex"
	metadataName    = "partition.metadata"
	deletedSuffix   = ".deleted"

	epochsName     = "leader-epochs"
	producersName  = "producer-state"
	checkpointName = "brokerd-checkpoint"
	failedName     = "brokerd-failed"
	tempSuffix     = ".tmp"

	parkedDelete = "delete" // directories on their way out
	parkedStray  = "stray"  // directories set aside; nothing deletes them
	parkedFuture = "future" // copies of logs that move here

	futureSuffixBytes = 1 + 32 + 1 + len(parkedFuture)
)

// maxNameBytes is the longest name that common file systems take.
const maxNameBytes = 255

// segmentName is the name of a segment's files, without suffix.
func segmentName(base int64) string { return fmt.Sprintf("%020d", base) }

// segmentBase reads the base offset from a name with that suffix.
func segmentBase(name, suffix string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	base, err := strconv.ParseInt(digits, 10, 64)
	return base, err == nil && base >= 0
}

// dirName is the name of a partition's directory.
func dirName(topic string, index int32) string {
	return topic + "-" + strconv.Itoa(int(index))
}

// parseDirName splits what dirName made. Parked directories and foreign names
// are not ok: a partition number has no suffix and no leading zero.
func parseDirName(name string) (topic string, index int32, ok bool) {
	cut := strings.LastIndexByte(name, '-')
	if cut < 1 {
		return "", 0, false
	}
	n, err := strconv.ParseInt(name[cut+1:], 10, 32)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != name[cut+1:] {
		return "", 0, false
	}
	return name[:cut], int32(n), true
}

// IsPartition tells whether a log directory's entry of that name is a partition's.
func IsPartition(name string) bool {
	_, _, ok := parseDirName(name)
	return ok
}

// parkedName is the name of a directory that is on its way out or set aside:
// <topic>-<partition>.<uuid>-<why>, the topic cut so that the whole fits, as Kafka does.
func parkedName(topic string, index int32, why string) string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	suffix := "-" + strconv.Itoa(int(index)) + "." + hex.EncodeToString(id[:]) + "-" + why
	return topic[:min(len(topic), maxNameBytes-len(suffix))] + suffix
}

// isParked tells whether a directory name was made by parkedName for that reason.
func isParked(name, why string) bool {
	head, ok := strings.CutSuffix(name, "-"+why)
	if !ok {
		return false
	}
	dot := strings.LastIndexByte(head, '.')
	return dot > 0 && len(head)-dot-1 == 32
}
