//go:build clients

package clients

// Case is one thing that every client must do.
type Case struct {
	ID   string
	Must string // what it must do, for docs/compatibility.md
	// Needs names the calls and features that a client must have; what a client
	// lacks of them stands in its row of the table in clients.go.
	Needs []string
	run   func(*scene) error
}

// What a client may lack.
const (
	needCreate     = "create topics"
	needList       = "list topics"
	needDescribe   = "describe topics"
	needDelete     = "delete topics"
	needGrow       = "add partitions"
	needConfigs    = "describe configs"
	needAlter      = "alter configs"
	needTrim       = "delete records"
	needRead       = "read"
	needOffset     = "list offsets"
	needTime       = "look up by timestamp"
	needPure       = "describe without creating"
	needHeaders    = "headers"
	needNullHeader = "null header values"
	needStamp      = "choose timestamps"
	needTimestamps = "timestamps"
	needNull       = "null values"
	needIdempotent = "idempotent sends"
	needAutoCreate = "auto-creation"
	needSnappy     = "snappy"
	needLz4        = "lz4"
	needZstd       = "zstd"

	needGroup       = "groups"
	needCooperative = "cooperative rebalancing"
	needStatic      = "static membership"
	needConsumer    = "the consumer group protocol"
	needCommit      = "commits on demand"
	needAsync       = "commits with a callback"
	needSeek        = "seek as a member"
	needPause       = "pause and resume"
	needNone        = "auto.offset.reset=none"
	needGroups      = "list groups"
	needCommitted   = "ask for committed offsets"
)

// Cases is the whole list, in the order in which a client goes through it.
var Cases = []Case{
	{"topic-create", "a topic with 3 partitions is there when the call returns", []string{needCreate}, topicCreate},
	{"topic-create-config", "a topic is created with a setting of its own", []string{needCreate}, topicCreateConfig},
	{"topic-exists", "creating it again fails with TOPIC_ALREADY_EXISTS", []string{needCreate}, topicExists},
	{"topic-replication", "3 replicas on one node fail with INVALID_REPLICATION_FACTOR", []string{needCreate}, topicReplication},
	{"topic-wrong-name", "an illegal name fails with INVALID_TOPIC_EXCEPTION", []string{needCreate}, topicWrongName},
	{"topic-list", "all topics are listed", []string{needList}, topicList},
	{"topic-describe", "partitions, leader, replicas and ISR are right", []string{needDescribe}, topicDescribe},
	{"topic-unknown", "describing an unknown topic fails with UNKNOWN_TOPIC_OR_PARTITION", []string{needDescribe, needPure}, topicUnknown},
	{"topic-grow", "2 partitions become 5", []string{needGrow}, topicGrow},
	{"topic-shrink", "fewer partitions fail with INVALID_PARTITIONS", []string{needGrow}, topicShrink},
	{"configs-describe", "the settings of a topic, with Kafka's default", []string{needConfigs}, configsDescribe},
	{"configs-alter", "a setting is changed", []string{needAlter}, configsAlter},
	{"configs-wrong", "a value that is none fails with INVALID_CONFIG", []string{needAlter}, configsWrong},
	{"topic-delete", "a deleted topic is gone when the call returns", []string{needDelete}, topicDelete},
	{"topic-delete-unknown", "deleting an unknown topic fails with UNKNOWN_TOPIC_OR_PARTITION", []string{needDelete}, topicDeleteUnknown},

	{"produce-none", "30 records over 3 partitions, uncompressed, acks=all", nil, produceCodec("none")},
	{"produce-gzip", "the same with gzip", nil, produceCodec("gzip")},
	{"produce-snappy", "the same with snappy", []string{needSnappy}, produceCodec("snappy")},
	{"produce-lz4", "the same with lz4", []string{needLz4}, produceCodec("lz4")},
	{"produce-zstd", "the same with zstd", []string{needZstd}, produceCodec("zstd")},
	{"produce-acks-0", "acks=0: no answer, and every record arrives", nil, produceAcks("0")},
	{"produce-acks-1", "acks=1", nil, produceAcks("1")},
	{"produce-keys", "keys: some bytes, empty, null", nil, produceKeys},
	{"produce-headers", "headers: several, the same name twice", []string{needHeaders}, produceHeaders},
	{"produce-null-header", "a header's null value stays null", []string{needHeaders, needNullHeader}, produceNullHeaders},
	{"produce-null", "a null value stays null, an empty one empty", nil, produceNull},
	{"produce-timestamps", "the client's timestamps are kept", []string{needTimestamps, needStamp}, produceTimestamps},
	{"produce-idempotent", "an idempotent producer's sends arrive once, in order", []string{needIdempotent}, produceIdempotent},
	{"produce-1mib", "a value of 1 MiB where max.message.bytes allows it", nil, produceSize(1 << 20)},
	{"produce-20mib", "a value of 20 MiB where max.message.bytes allows it", nil, produceSize(20 << 20)},
	{"produce-too-large", "3 MB at the default limit fail with MESSAGE_TOO_LARGE, the next record is taken", nil, produceTooLarge},
	{"produce-auto-create", "producing to an unknown topic creates it", []string{needAutoCreate}, produceAutoCreate},
	{"produce-restart", "the broker is killed and restarted under the producer; nothing acknowledged is lost", nil, produceRestart},

	{"read-none", "30 records over 3 partitions are read from the start", []string{needRead}, readCodec("none")},
	{"read-gzip", "the same, written with gzip", []string{needRead}, readCodec("gzip")},
	{"read-snappy", "the same, written with snappy", []string{needRead, needSnappy}, readCodec("snappy")},
	{"read-lz4", "the same, written with lz4", []string{needRead, needLz4}, readCodec("lz4")},
	{"read-zstd", "the same, written with zstd", []string{needRead, needZstd}, readCodec("zstd")},
	{"read-headers", "headers: several, the same name twice", []string{needRead, needHeaders}, readHeaders},
	{"read-null-header", "a header's null value is told from an empty one", []string{needRead, needHeaders, needNullHeader}, readNullHeaders},
	{"read-null", "a null value is told from an empty one", []string{needRead, needNull}, readNull},
	{"read-timestamps", "timestamps are those that were written", []string{needRead, needTimestamps}, readTimestamps},
	{"read-offset", "reading begins at a given offset", []string{needRead}, readOffset},
	{"read-time", "reading begins at a given timestamp", []string{needRead, needTime}, readTime},
	{"read-end", "reading begins at the end and waits for what comes", []string{needRead}, readEnd},
	{"read-1mib", "a value of 1 MiB", []string{needRead}, readSize(1 << 20)},
	{"read-20mib", "a value of 20 MiB", []string{needRead}, readSize(20 << 20)},
	{"read-restart", "the broker is killed and restarted under the reader; it goes on where it was", []string{needRead}, readRestart},
	{"offsets", "first and next offset of a partition", []string{needOffset}, offsets},
	{"offsets-time", "the first offset at or after a timestamp", []string{needOffset, needTime}, offsetsTime},
	{"records-delete", "records before an offset are deleted", []string{needTrim}, recordsDelete},
	{"read-deleted", "after deletion, reading begins at the first record left", []string{needRead}, readDeleted},

	{"group-members", "three members share 6 partitions, one is killed, one joins: each record goes to one of them", []string{needGroup}, groupMembers(request{})},
	{"group-consumer", "the same by the consumer group protocol (KIP-848)", []string{needGroup, needConsumer}, groupMembers(request{Consumer: true})},
	{"group-cooperative", "a second member joins, and the first goes on with what it keeps", []string{needGroup, needCooperative}, groupCooperative},
	{"group-static", "a static member is killed and comes back to its partitions, unnoticed", []string{needGroup, needStatic}, groupStatic},
	{"group-kinds", "a group goes from the classic protocol to the new one and back, while it reads", []string{needGroup, needConsumer, needCooperative}, groupKinds(1)},
	{"group-kinds-again", "the same, and to the new one once more", []string{needGroup, needConsumer, needCooperative}, groupKinds(2)},
	{"group-commit-sync", "what is committed is where the next member begins", []string{needGroup, needCommit}, groupCommit("sync")},
	{"group-commit-async", "the same, by a commit with a callback", []string{needGroup, needCommit, needAsync}, groupCommit("async")},
	{"group-seek", "a member goes back to an offset", []string{needGroup, needSeek}, groupSeek},
	{"group-pause", "a paused partition is silent, and goes on when it is resumed", []string{needGroup, needPause}, groupPause},
	{"group-earliest", "a new group begins at the start", []string{needGroup}, groupEarliest},
	{"group-latest", "a new group begins at the end", []string{needGroup}, groupLatest},
	{"group-none", "a new group with auto.offset.reset=none fails", []string{needGroup, needNone}, groupNone},
	{"group-lag", "ends (0: 5, 1: 49), committed the same, nothing is left", []string{needGroup, needCommit, needCommitted, needOffset}, groupLag},
	{"group-list", "the group is listed as one of consumers", []string{needGroup, needGroups}, groupList},
}
