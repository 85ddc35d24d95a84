//go:build oracle

package oracle

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
)

// foreign has the topics of earlier tests, which Kafka still has: one Kafka
// serves all tests, a brokerd serves one.
var foreign = map[string]bool{}

// role is a value as it is compared: what a side chose by itself is replaced by
// the part that it plays. Zero, null and negative values stay what they are.
func (f flattener) role(path string, v reflect.Value) string {
	text := fmt.Sprint(v.Interface())
	last := path[strings.LastIndexByte(path, '.')+1:]
	positive := v.CanInt() && v.Int() > 0
	inQuorum := strings.HasPrefix(path, "Topics[__cluster_metadata]")
	switch {
	case last == "LogAppendTime" && positive,
		last == "Timestamp" && v.Int() > f.s.born,
		strings.HasPrefix(last, "Last") && strings.HasSuffix(last, "Timestamp") && inQuorum && positive:
		return "now"
	case path == "ProducerID" && v.Int() >= 0:
		return "new"
	case path == "SessionID" && v.Int() != 0:
		return "given"
	case (last == "MemberID" || last == "LeaderID") && f.s.members[text] != "":
		return f.s.members[text]
	case last == "MemberID" && madeOf(text) != "": // nobody has been told of it yet
		return madeOf(text) + "member"
	case (last == "MemberEpoch" || last == "AssignmentEpoch" || last == "Epoch") && positive:
		return fmt.Sprint(v.Int() - int64(f.s.before))
	case last == "ClusterID" && text == f.s.cluster:
		return "its own"
	case last == "Port" && text == f.s.port:
		return "its own"
	case last == "Port" && text == f.s.controllerPort:
		return "its controller's"
	case last == "Dir" && text == f.s.dir:
		return "its own"
	case last == "TotalBytes" && positive, last == "UsableBytes" && positive, last == "FinalizedFeaturesEpoch" && positive,
		inQuorum && positive && (last == "LeaderEpoch" || last == "HighWatermark" || last == "LogEndOffset"):
		return "some"
	case last == "Value": // of a setting: its own addresses and directory
		return f.s.own.Replace(text)
	case last == "Documentation" && text != "":
		return "a text"
	}
	return text
}

// message is the text of an error: ours say what to do, in our words, and Kafka
// has none for some. Without an error there is none, null or empty.
func message(v reflect.Value) string {
	text := v.FieldByName("ErrorMessage").Interface().(*string)
	code := v.FieldByName("ErrorCode")
	switch {
	case code.IsValid() && code.Int() != 0:
		return "of an error"
	case text == nil || *text == "":
		return "none"
	}
	return "a text"
}

// id is the name of a topic, or that there is an id.
func (f flattener) id(path string, id [16]byte) string {
	for name, known := range f.s.ids {
		if known == id {
			return "id of " + name
		}
	}
	if strings.HasSuffix(path, "DirectoryID") && id != [16]byte{} {
		return "given"
	}
	return hex.EncodeToString(id[:])
}
