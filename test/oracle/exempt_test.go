//go:build oracle

package oracle

import "math"

const ever = math.MaxInt16

// exempt names what is not asked: a field that every accepted request leaves at
// its default, or, with no field, versions of an API as a whole.
var exempt = []struct {
	key      int16
	field    string
	from, to int16
	reason   string
}{
	{0, "", 0, 2, "Kafka 4.4 serves no message of the formats 0 and 1, so there is nothing to compare with: internal/api asks itself, make clients with Java 0.9 and kafka-python 1.3.5"},
	{1, "", 0, 3, "the same"},
	{1, "ReplicaState.ID", 12, 14, "a tag that Kafka closes the connection for before 15"},
	{1, "ReplicaState.Epoch", 12, 14, "the same"},
	{1, "Topics.Partitions.ReplicaDirectoryID", 12, 16, "a tag that Kafka closes the connection for before 17"},
	{1, "Topics.Partitions.HighWatermark", 12, 17, "a tag that Kafka closes the connection for before 18"},
	{3, "Topics.TopicID", 10, 11, "no version before 12 looks ids up"},
	{43, "Topics", 0, ever, "one broker has nothing to elect: test/cluster elects among three"},
	{43, "Topics.Topic", 0, ever, "the same"},
	{43, "Topics.Partitions", 0, ever, "the same"},
	{22, "TransactionalID", 0, ever, "no transactions are served yet"},
	{55, "Topics.Partitions.Partition", 0, ever, "the log of the quorum has partition 0 only"},
	{56, "", 0, ever, "between brokers and their controller: no client hears of it"},
	{58, "", 0, ever, "the same"},
	{62, "", 0, ever, "the same"},
	{63, "", 0, ever, "the same"},
	{67, "", 0, ever, "the same"},
	{73, "", 0, ever, "the same"},
	{82, "", 0, ever, "the same"},
	{64, "", 0, ever, "the only broker cannot go: TestVoters asks in vain"},
	{80, "", 0, ever, "Kafka's voters are static here: TestVoters asks in vain"},
	{81, "", 0, ever, "the same"},
	{10000, "", 0, ever, "Kafka has no such message"},
	{10001, "", 0, ever, "Kafka has no such message"},
	{10003, "", 0, ever, "Kafka has no such message"},
	{10002, "", 0, ever, "Kafka has no such message"},
}
