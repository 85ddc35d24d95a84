//go:build oracle

package oracle

import (
	"path"
	"regexp"
)

// difference is one that we want.
type difference struct {
	question string         // a pattern of path.Match for the name of the question
	field    *regexp.Regexp // of the path
	theirs   string         // if set, the values that differ
	ours     string
	reason   string
}

// differences is all of them.
var differences = []difference{
	{question: "*", field: regexp.MustCompile(`ErrorMessage$`), reason: "ours say what to do, in our words"},
	{question: "*", field: regexp.MustCompile(`AbortedTransactions\.len$`), theirs: "0", ours: "null", reason: "beside an error; a client reads both as none"},

	{question: "produce * offsets with a gap *", field: regexp.MustCompile(`ErrorCode|BaseOffset|LogStartOffset`),
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

	{question: "sequence duplicate *", field: regexp.MustCompile(`LogAppendTime`), theirs: "now", ours: "-1",
		reason: "Kafka gives a duplicate the time of its batch, though the topic keeps the producer's times"},
	{question: "sequence negative *", field: regexp.MustCompile(`ErrorCode|BaseOffset|LogStartOffset`), reason: "half a producer is nobody's"},
}

// intended finds a named difference, and notes that it was seen.
func (p *pair) intended(question, field, theirs, ours string) bool {
	for i, d := range differences {
		ok, err := path.Match(d.question, question)
		if err != nil {
			p.t.Fatal(err)
		}
		if ok && d.field.MatchString(field) && (d.theirs == "" || d.theirs == theirs && d.ours == ours) {
			seen.Store(i, true)
			return true
		}
	}
	return false
}
