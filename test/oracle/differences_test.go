//go:build oracle

package oracle

import (
	"path"
	"regexp"
	"testing"
)

// difference is one that we want.
type difference struct {
	question string         // a pattern of path.Match for the name of the question
	field    *regexp.Regexp // of the path
	reason   string
}

// differences is all of them.
var differences = []difference{
	{"*", regexp.MustCompile(`ErrorMessage$`), "ours say what to do, in our words"},
	{"produce* offsets with a gap *", regexp.MustCompile(`ErrorCode|BaseOffset|ErrorMessage|LogStartOffset`), "Kafka takes a gap where it does not look, and answers -1 where it does: a reader would look for records that nobody wrote"},
	{"read back * offsets with a gap *", regexp.MustCompile(`.`), "see above"},
	{"produce codec *", regexp.MustCompile(`ErrorCode|LogStartOffset`), "Kafka answers -1, which clients repeat for ever"},
	{"produce in a transaction *", regexp.MustCompile(`ErrorCode`), "Kafka has no coordinator yet and answers 19; this broker serves no transactions and answers 48"},
	{"read back packed * timestamps rise *", regexp.MustCompile(`RecordBatches`), "the first timestamp becomes the base of Kafka's new batch, and stays the producer's in ours"},
}

// intended finds a named difference, and notes that it was seen.
func (p *pair) intended(question, field, theirs, ours string) bool {
	for i, d := range differences {
		ok, err := path.Match(d.question, question)
		if err != nil {
			p.t.Fatal(err)
		}
		if ok && d.field.MatchString(field) {
			p.used[i] = true
			return true
		}
	}
	return false
}

var _ = testing.Short
