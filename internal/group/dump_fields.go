package group

// field is one field of a record, in the words of Kafka's schemas: what reads it,
// in which versions of its structure it is, and what is in it.
type field struct {
	name   string
	kind   kind
	since  int16
	until  int16   // 0: it was never given up
	tagged bool    // tag 0, the only one that there is
	fields []field // of a structure
}

type kind int8

const (
	aByte kind = iota
	anInt
	aLong
	aString // or null
	someBytes
	aTopicID
	ints
	texts
	structs
	aStruct // or null
)

// layout is what the value of a key is made of. From version flexible on lengths
// are compact and structures end in tags.
type layout struct {
	key      []field
	fields   []field
	flexible int16
}

var (
	ofGroup  = []field{{name: "groupId", kind: aString}}
	ofMember = []field{{name: "groupId", kind: aString}, {name: "memberId", kind: aString}}
	ofOffset = []field{{name: "group", kind: aString}, {name: "topic", kind: aString}, {name: "partition", kind: anInt}}

	offsetValue = []field{
		{name: "offset", kind: aLong},
		{name: "leaderEpoch", kind: anInt, since: 3},
		{name: "metadata", kind: aString},
		{name: "commitTimestamp", kind: aLong},
		{name: "expireTimestamp", kind: aLong, since: 1, until: 1},
		{name: "topicId", kind: aTopicID, since: 4, tagged: true},
	}
	assigned = []field{
		{name: "topicId", kind: aTopicID},
		{name: "partitions", kind: ints},
	}
	assignedSince = append(assigned[:2:2], field{name: "assignmentEpochs", kind: ints, tagged: true})
)

// layouts has the records that are read here, by key.
var layouts = map[int16]layout{
	keyOffsetOld: {ofOffset, offsetValue, 4},
	keyOffset:    {ofOffset, offsetValue, 4},
	keyGroup: {[]field{{name: "group", kind: aString}}, []field{
		{name: "protocolType", kind: aString},
		{name: "generation", kind: anInt},
		{name: "protocol", kind: aString},
		{name: "leader", kind: aString},
		{name: "currentStateTimestamp", kind: aLong, since: 2},
		{name: "members", kind: structs, fields: []field{
			{name: "memberId", kind: aString},
			{name: "groupInstanceId", kind: aString, since: 3},
			{name: "clientId", kind: aString},
			{name: "clientHost", kind: aString},
			{name: "rebalanceTimeout", kind: anInt, since: 1},
			{name: "sessionTimeout", kind: anInt},
			{name: "subscription", kind: someBytes},
			{name: "assignment", kind: someBytes},
		}},
	}, 4},
	keyConsumer: {ofGroup, []field{
		{name: "epoch", kind: anInt},
		{name: "metadataHash", kind: aLong, tagged: true},
	}, 0},
	keyConsumerTopics: {ofGroup, []field{
		{name: "topics", kind: structs, fields: []field{
			{name: "topicId", kind: aTopicID},
			{name: "topicName", kind: aString},
			{name: "numPartitions", kind: anInt},
			{name: "partitionMetadata", kind: structs, fields: []field{
				{name: "partition", kind: anInt},
				{name: "racks", kind: texts},
			}},
		}},
	}, 0},
	keyMember: {ofMember, []field{
		{name: "instanceId", kind: aString},
		{name: "rackId", kind: aString},
		{name: "clientId", kind: aString},
		{name: "clientHost", kind: aString},
		{name: "subscribedTopicNames", kind: texts},
		{name: "subscribedTopicRegex", kind: aString},
		{name: "rebalanceTimeoutMs", kind: anInt},
		{name: "serverAssignor", kind: aString},
		{name: "classicMemberMetadata", kind: aStruct, tagged: true, fields: []field{
			{name: "sessionTimeoutMs", kind: anInt},
			{name: "supportedProtocols", kind: structs, fields: []field{
				{name: "name", kind: aString},
				{name: "metadata", kind: someBytes},
			}},
		}},
	}, 0},
	keyTarget: {ofGroup, []field{
		{name: "assignmentEpoch", kind: anInt},
		{name: "assignmentTimestamp", kind: aLong, tagged: true},
	}, 0},
	keyMemberTarget: {ofMember, []field{{name: "topicPartitions", kind: structs, fields: assigned}}, 0},
	keyMemberCurrent: {ofMember, []field{
		{name: "memberEpoch", kind: anInt},
		{name: "previousMemberEpoch", kind: anInt},
		{name: "state", kind: aByte},
		{name: "assignedPartitions", kind: structs, fields: assignedSince},
		{name: "partitionsPendingRevocation", kind: structs, fields: assignedSince},
	}, 0},
	keyRegex: {[]field{{name: "groupId", kind: aString}, {name: "regularExpression", kind: aString}}, []field{
		{name: "topics", kind: texts},
		{name: "version", kind: aLong},
		{name: "timestamp", kind: aLong},
	}, 0},
}

// What classic consumers say in the bytes of a group's members. Never flexible.
var (
	owned = field{kind: structs, fields: []field{
		{name: "topic", kind: aString},
		{name: "partitions", kind: ints},
	}}
	subscriptionFields = []field{
		{name: "topics", kind: texts},
		{name: "userData", kind: someBytes},
		{name: "ownedPartitions", kind: owned.kind, fields: owned.fields, since: 1},
		{name: "generationId", kind: anInt, since: 2},
		{name: "rackId", kind: aString, since: 3},
	}
	assignmentFields = []field{
		{name: "assignedPartitions", kind: owned.kind, fields: owned.fields},
		{name: "userData", kind: someBytes},
	}
)
