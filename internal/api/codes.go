package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/isr"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/record"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/twmb/franz-go/pkg/kerr"
)

// fault is what a client did wrong, found here: Kafka's code with a text that
// says what to do about it.
type fault struct {
	kafka *kerr.Error
	text  string
}

func (f *fault) Error() string { return f.text }

func faultf(k *kerr.Error, format string, args ...any) error {
	return &fault{k, fmt.Sprintf(format, args...)}
}

// codes maps the sentinels of other packages to Kafka's errors, first match
// first. It is the only place that knows both.
var codes = []struct {
	is    error
	kafka *kerr.Error
}{
	{meta.ErrTopicExists, kerr.TopicAlreadyExists},
	{meta.ErrUnknownTopic, kerr.UnknownTopicOrPartition},
	{meta.ErrUnknownPartition, kerr.UnknownTopicOrPartition},
	{meta.ErrInvalidTopic, kerr.InvalidTopicException},
	{meta.ErrTopicCollision, kerr.InvalidTopicException},
	{meta.ErrInvalidPartitions, kerr.InvalidPartitions},
	{meta.ErrInvalidAssignment, kerr.InvalidReplicaAssignment},
	{meta.ErrReplicationFactor, kerr.InvalidReplicationFactor},
	{meta.ErrInvalidConfig, kerr.InvalidConfig},
	{meta.ErrStaleBroker, kerr.StaleBrokerEpoch},
	{meta.ErrDuplicateBroker, kerr.DuplicateBrokerRegistration},
	{meta.ErrUnknownBroker, kerr.BrokerIDNotRegistered},
	{meta.ErrInvalidBroker, kerr.InvalidRequest},
	{meta.ErrInvalidState, kerr.InvalidRequest},
	{meta.ErrClusterID, kerr.InconsistentClusterID},
	{meta.ErrFeatureLevel, kerr.InvalidUpdateVersion},
	{meta.ErrUnknownCommand, kerr.UnsupportedVersion},
	{meta.ErrMalformed, kerr.InvalidRequest},
	{meta.ErrNewerEpoch, kerr.NotController},
	{meta.ErrFencedLeader, kerr.FencedLeaderEpoch},
	{meta.ErrNotLeader, kerr.InvalidRequest},
	{meta.ErrStaleState, kerr.InvalidUpdateVersion},
	{meta.ErrInvalidISR, kerr.InvalidRequest},
	{meta.ErrIneligible, kerr.IneligibleReplica},
	{meta.ErrElectionNotNeeded, kerr.ElectionNotNeeded},
	{meta.ErrNoEligibleLeader, kerr.EligibleLeadersNotAvailable},
	{meta.ErrNoReassignment, kerr.NoReassignmentInProgress},

	// Who asks for administration hears "timed out" while there is no
	// controller, and tries again; onListener turns it into NOT_CONTROLLER for
	// those who addressed the controller itself.
	{controller.ErrNotLeader, kerr.RequestTimedOut},
	{controller.ErrUnknownOutcome, kerr.RequestTimedOut},
	{controller.ErrBusy, kerr.RequestTimedOut},
	{context.DeadlineExceeded, kerr.RequestTimedOut},
	{controller.ErrDiskFull, kerr.KafkaStorageError},
	{controller.ErrTooLarge, kerr.PolicyViolation},
	{controller.ErrWrongServer, kerr.InvalidRequest},
	{controller.ErrVoterExists, kerr.DuplicateVoter},
	{controller.ErrNoVoter, kerr.VoterNotFound},
	{controller.ErrLastVoter, kerr.InvalidRequest},
	{controller.ErrNoMember, kerr.InvalidRequest},
	{controller.ErrNotEveryNode, kerr.InvalidUpdateVersion},

	{replica.ErrNotLeader, kerr.NotLeaderForPartition},
	{replica.ErrUnknownPartition, kerr.UnknownTopicOrPartition},
	{replica.ErrFencedEpoch, kerr.FencedLeaderEpoch},
	{replica.ErrUnknownEpoch, kerr.UnknownLeaderEpoch},
	{isr.ErrNotReplica, kerr.NotLeaderForPartition},
	{isr.ErrStaleBroker, kerr.StaleBrokerEpoch},
	{isr.ErrBeyondEnd, kerr.OffsetOutOfRange},
	{replica.ErrNotEnoughReplicas, kerr.NotEnoughReplicas},
	{replica.ErrNotEnoughAfter, kerr.NotEnoughReplicasAfterAppend},
	{replica.ErrTimedOut, kerr.RequestTimedOut},
	{replica.ErrOffsetNotAvailable, kerr.OffsetNotAvailable},
	{replica.ErrBroken, kerr.KafkaStorageError},
	{replica.ErrBatchTooLarge, kerr.MessageTooLarge},
	{replica.ErrInvalidRecord, kerr.InvalidRecord},
	{replica.ErrNotOneBatch, kerr.InvalidRecord},
	{replica.ErrInvalidTimestamp, kerr.InvalidTimestamp},
	{replica.ErrCompactOnly, kerr.PolicyViolation},
	{replica.ErrNoTransactionalID, kerr.TransactionalIDAuthorizationFailed},
	{replica.ErrNoTransactions, kerr.InvalidTxnState},

	{record.ErrIncomplete, kerr.CorruptMessage},
	{record.ErrMagic, kerr.InvalidRecord},
	{record.ErrCorrupt, kerr.CorruptMessage},
	{record.ErrInvalid, kerr.InvalidRecord},
	{record.ErrCodec, kerr.UnsupportedCompressionType},
	{record.ErrTooLarge, kerr.MessageTooLarge},

	{storage.ErrFenced, kerr.NotLeaderForPartition},
	{storage.ErrOutOfRange, kerr.OffsetOutOfRange},
	{storage.ErrOutOfOrder, kerr.OutOfOrderSequenceNumber},
	{storage.ErrProducerEpoch, kerr.InvalidProducerEpoch},
	{storage.ErrTxnState, kerr.InvalidTxnState},
	{storage.ErrCoordinatorEpoch, kerr.TransactionCoordinatorFenced},
	{storage.ErrTooLarge, kerr.RecordListTooLarge},
	{storage.ErrDiskFull, kerr.KafkaStorageError},
	{storage.ErrNoDescriptors, kerr.KafkaStorageError},
	{storage.ErrDirFailed, kerr.KafkaStorageError},
	{storage.ErrNoDir, kerr.LogDirNotFound},
	{storage.ErrNameTooLong, kerr.InvalidTopicException},
	{storage.ErrCorrupt, kerr.KafkaStorageError},
	{storage.ErrNewer, kerr.KafkaStorageError},
	{storage.ErrUnreadable, kerr.KafkaStorageError},
	{storage.ErrDeleted, kerr.UnknownTopicOrPartition},
	{storage.ErrClosed, kerr.NotLeaderForPartition},
}

// kafkaError finds the Kafka error of any error of ours; nil stays nil.
func kafkaError(err error) *kerr.Error {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*fault](err); ok {
		return f.kafka
	}
	if k, ok := errors.AsType[*kerr.Error](err); ok {
		return k
	}
	for _, c := range codes {
		if errors.Is(err, c.is) {
			return c.kafka
		}
	}
	return kerr.UnknownServerError
}

// code is the error code of err, 0 for nil.
func code(err error) int16 {
	if k := kafkaError(err); k != nil {
		return k.Code
	}
	return 0
}

// dataCode is code for the data path: what we have no code for must not be
// UNKNOWN_SERVER_ERROR there. Clients take it as final and write the batch again
// under another sequence, or give up (J-15); a storage error makes them ask for
// the leader and try again.
func dataCode(err error) int16 {
	c := code(err)
	if c == kerr.UnknownServerError.Code {
		return kerr.KafkaStorageError.Code
	}
	return c
}

// codeText is the error code with its message, as most admin responses carry
// it: 0 and null when all went well.
func codeText(err error) (int16, *string) {
	if err == nil {
		return 0, nil
	}
	k, text := kafkaError(err), err.Error()
	if k == err {
		text = k.Description
	}
	return k.Code, &text
}
