//go:build oracle

package oracle

import (
	"regexp"
	"strings"
)

// difference is one that we want.
type difference struct {
	question string         // its name; * is anything
	field    *regexp.Regexp // of the path
	theirs   string         // if set, the values that differ
	ours     string
	reason   string
}

// differences is all of them.
var differences = []difference{
	{question: "*", field: regexp.MustCompile(`AbortedTransactions\.len$`), theirs: "0", ours: "null", reason: "beside an error; a client reads both as none"},

	{question: "move with a name too long for the copy*", field: regexp.MustCompile(`ErrorCode$`), theirs: "17", ours: "0", reason: "it lies where it is to go, so nothing is copied; Kafka looks at the name first"},
	{question: "versions *", field: regexp.MustCompile(`^ApiKeys\[\d+\]$`), theirs: present, ours: absent, reason: "not served yet: what is served is asked"},
	{question: "versions *", field: regexp.MustCompile(`^ApiKeys\.len$`), reason: "the same"},
	{question: "versions *", field: regexp.MustCompile(`^ApiKeys\[\d+\]\.MinVersion$`), theirs: "1", ours: "0", reason: "ours serves old clients that Kafka has given up"},
	{question: "versions *", field: regexp.MustCompile(`^ApiKeys\[\d+\]\.MinVersion$`), theirs: "2", ours: "0", reason: "the same"},
	{question: "versions *", field: regexp.MustCompile(`^ApiKeys\[1\]\.MinVersion$`), theirs: "4", ours: "0", reason: "the same"},
	{question: "versions *", field: regexp.MustCompile(`Features`), reason: "the features are the broker's own; none of Kafka's is claimed before it is served"},
	{question: "update features: *", field: regexp.MustCompile(`Feature$`), theirs: "metadata.version", ours: "brokerd.metadata", reason: "the same"},

	{question: "metadata by* v10", field: regexp.MustCompile(`.`), reason: "ids are not looked up yet; Kafka fails the whole request, ours the topic"},
	{question: "metadata by* v11", field: regexp.MustCompile(`.`), reason: "the same"},
	{question: "metadata of nothing *", field: regexp.MustCompile(`.`), reason: "Kafka fails the whole request; ours the topic"},
	{question: "page from an odd cursor *", field: regexp.MustCompile(`.`), reason: "no answer gave that cursor; ours goes on behind it"},
	{question: "page of a nameless one *", field: regexp.MustCompile(`.`), reason: "Kafka fails the whole request; ours the topic"},
	{question: "quorum of *", field: regexp.MustCompile(`ReplicaDirectoryID$`), theirs: strings.Repeat("0", 32), ours: "given",
		reason: "static voters have no directory in Kafka; here each is known by its own"},
	{question: "quorum refused *", field: regexp.MustCompile(`^Nodes`), reason: "Kafka keeps the nodes to itself when a partition is refused"},
	{question: "log directories of one twice *", field: regexp.MustCompile(`.`), reason: "asked twice, answered twice"},

	{question: "describe configs * v0", field: regexp.MustCompile(`IsDefault$`), reason: "Kafka has given up v0, and with it this field"},
	{question: "*", field: regexp.MustCompile(`Configs\[[^\]]*\]$`), theirs: absent, ours: present, reason: "settings that Kafka has not, or has in its authorizer"},
	{question: "*", field: regexp.MustCompile(`Configs\.len$`), reason: "the same"},
	{question: "*", field: regexp.MustCompile(`\[min\.insync\.replicas\]`), reason: "Kafka sets it for all brokers when it formats; here the default follows the replication factor"},
	{question: "describe configs *", field: regexp.MustCompile(`\[(broker\.heartbeat\.interval\.ms|broker\.session\.timeout\.ms|controller\.quorum\.election\.timeout\.ms|controller\.quorum\.fetch\.timeout\.ms|replica\.lag\.time\.max\.ms)\].*Value$`),
		reason: "our defaults are shorter: a dead node is noticed within seconds"},
	{question: "describe configs *", field: regexp.MustCompile(`\[log\.dir\]`), reason: "no data under /tmp unasked"},
	{question: "describe configs *", field: regexp.MustCompile(`\[(node\.id|process\.roles|controller\.listener\.names|listeners)\]\.ConfigSynonyms`), reason: "ours runs without these, so they have defaults; that of listeners is made of them"},
	{question: "alter all brokers *", field: regexp.MustCompile(`Error`), reason: "Kafka refuses to lose min.insync.replicas, which it has set for all brokers"},
	{question: "* a broker* [*", field: regexp.MustCompile(`Error`), theirs: "0", ours: "42", reason: "a setting that no broker has is a slip of the pen"},
	{question: "* a broker* [*", field: regexp.MustCompile(`Error`), theirs: "none", ours: "of an error", reason: "the same"},
	{question: "change a broker's [cleanup.policy append shred] *", field: regexp.MustCompile(`ErrorCode`), theirs: "40", ours: "42", reason: "a setting that no broker has, and an operation that it would not take"},
	{question: "describe configs of a broker *", field: regexp.MustCompile(`\[(listeners|listener\.security\.protocol\.map)\]\.ReadOnly`), theirs: "false", ours: "true", reason: "listeners change by a restart"},
	{question: "* a voter of this cluster *", field: regexp.MustCompile(`ErrorCode`), theirs: "35", reason: "Kafka's voters are static here", ours: "126"},
	{question: "* a voter of this cluster *", field: regexp.MustCompile(`ErrorCode`), theirs: "35", reason: "the same", ours: "127"},
	{question: "* of 4 \"2\"*", field: regexp.MustCompile(`Error`), reason: "in Kafka each broker takes its own settings; here whoever is asked"},
	{question: "change * odd 1] *", field: regexp.MustCompile(`ErrorCode`), theirs: "-1", ours: "42", reason: "Kafka does not expect an unknown operation"},
	{question: "list resources [4 4] *", field: regexp.MustCompile(`ConfigResources`), reason: "asked twice, answered twice"},
	{question: "list resources *", field: regexp.MustCompile(`ConfigResources(\.len$|\[1 8\]$)`), reason: "there are no loggers with levels"},

	{question: "create the same twice *", field: regexp.MustCompile(`.`), reason: "asked twice, answered twice"},
	{question: "grow the same twice *", field: regexp.MustCompile(`.`), reason: "asked twice, answered twice"},
	{question: "delete topics the same twice *", field: regexp.MustCompile(`.`), reason: "asked twice, answered twice"},
	{question: "delete topics name and id of one *", field: regexp.MustCompile(`.`), reason: "asked twice, answered twice"},
	{question: "create two that collide *", field: regexp.MustCompile(`.`), reason: "Kafka overlooks that they collide when they come together"},
	{question: "create dry *", field: regexp.MustCompile(`TopicID$`), reason: "a topic that is not made has no id"},

	{question: "internal: *", field: regexp.MustCompile(`Error`), theirs: "0", ours: "42", reason: "what the brokers themselves keep is neither altered nor deleted by a slip"},
	{question: "internal: *", field: regexp.MustCompile(`Error`), theirs: "none", ours: "of an error", reason: "the same"},

	{question: "produce * offsets with a gap *", field: regexp.MustCompile(`ErrorCode|ErrorMessage|BaseOffset|LogStartOffset`),
		reason: "Kafka takes a gap where it does not look, and answers -1 where it does: a reader would look for records that nobody wrote"},
	{question: "read back * offsets with a gap *", field: regexp.MustCompile(`.`), reason: "see above"},
	{question: "produce codec *", field: regexp.MustCompile(`ErrorCode|LogStartOffset`), reason: "Kafka answers -1, as to any surprise"},
	{question: "produce in a transaction *", field: regexp.MustCompile(`ErrorCode`),
		reason: "Kafka has no coordinator yet and answers 19; this broker serves no transactions and answers 48"},
	{question: "read back packed * timestamps rise *", field: regexp.MustCompile(`RecordBatches`),
		reason: "the first timestamp becomes the base of Kafka's new batch, and stays the producer's in ours"},

	{question: "fetch twice the same *", field: regexp.MustCompile(`.`), reason: "asked twice, answered twice"},
	{question: "list twice *", field: regexp.MustCompile(`.`), reason: "asked twice, answered twice"},
	{question: "fetch 1000 bytes *", field: regexp.MustCompile(`RecordBatches\[6\]`), reason: "ours sends whole batches only"},
	{question: "fetch -1 bytes *", field: regexp.MustCompile(`.`), reason: "Kafka answers -1; ours takes it for 0"},
	{question: "fetch isolation 7 *", field: regexp.MustCompile(`.`), reason: "Kafka answers -1; ours takes what is not 1 for 0"},
	{question: "fetch as a replica *", field: regexp.MustCompile(`.`),
		reason: "only a broker may say that it is a replica (J-22); Kafka looks for it, and closes from v12 to 14"},
	{question: "session without partitions *", field: regexp.MustCompile(`SessionID`), reason: "a session of nothing is not worth a slot"},

	{question: "list at * leader epoch -2 *", field: regexp.MustCompile(`.`), reason: "ours takes any negative epoch for none"},
	{question: "end of -2 in e *", field: regexp.MustCompile(`EndOffset|LeaderEpoch`), reason: "ours takes any negative epoch for unknown"},
	{question: "list after deletion of -1 at -3 *", field: regexp.MustCompile(`LeaderEpoch|Offset|Timestamp`),
		reason: "Kafka finds the largest timestamp among records that are deleted"},

	{question: "consumer joins by an expression *", field: regexp.MustCompile(`^Assignment\.`), reason: "Kafka resolves an expression beside the heartbeats, ours at once"},
	{question: "describe consumers by an expression *", field: regexp.MustCompile(`Epoch$`), reason: "the same: it takes an epoch more"},

	{question: "sequence duplicate *", field: regexp.MustCompile(`LogAppendTime`), theirs: "now", ours: "-1",
		reason: "Kafka gives a duplicate the time of its batch, though the topic keeps the producer's times"},
	{question: "sequence negative *", field: regexp.MustCompile(`Error|BaseOffset|LogStartOffset`), reason: "half a producer is nobody's"},
}

// intended finds a named difference, and notes that it was met.
func (p *pair) intended(question, field, theirs, ours string) bool {
	for i, d := range differences {
		if matches(d.question, question) && d.field.MatchString(field) && (d.theirs == "" || d.theirs == theirs && d.ours == ours) {
			if !p.planting {
				seen[i] = true
			}
			return true
		}
	}
	return false
}

// matches reports whether a name fits a pattern in which * is anything.
func matches(pattern, name string) bool {
	first, rest, more := strings.Cut(pattern, "*")
	name, ok := strings.CutPrefix(name, first)
	if !more || !ok {
		return ok && name == ""
	}
	for i := 0; i <= len(name); i++ {
		if matches(rest, name[i:]) {
			return true
		}
	}
	return false
}
