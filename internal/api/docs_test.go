package api

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/pages"
)

var rewrite = flag.Bool("rewrite", false, "write the API table into docs/protocol.md")

const protocolPage = "../../docs/protocol.md"

// TestProtocolPage holds the API table of docs/protocol.md to the one that serves.
func TestProtocolPage(t *testing.T) {
	pages.Hold(t, protocolPage, "api table", tableForDocs(), *rewrite)
}

func tableForDocs() string {
	table := Table(Deps{}.withDefaults())
	slices.SortFunc(table, func(a, b Endpoint) int { return int(a.Key) - int(b.Key) })
	var b strings.Builder
	b.WriteString("\n| key | API | versions | flexible | where |\n|---|---|---|---|---|\n")
	for _, e := range table {
		flexible := "never"
		if first := firstFlexible(e.Key, e.Max); first <= e.Max {
			flexible = fmt.Sprintf("%d", first)
		}
		where := map[Place]string{Anywhere: "anywhere", Controller: "controller", Peer: "brokers"}[e.Where]
		if e.Hidden {
			where += ", hidden"
		}
		versions := fmt.Sprintf("%d–%d", e.Min, e.Max)
		if e.Min == e.Max {
			versions = fmt.Sprintf("%d", e.Min)
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", e.Key, keyName(e.Key), versions, flexible, where)
	}
	b.WriteString("\n")
	return b.String()
}

func keyName(key int16) string {
	switch key {
	case 10000:
		return "DescribeReplicas"
	case 10001:
		return "OpenRaftStream"
	case 10002:
		return "DescribeNode"
	case 10003:
		return "ReportFault"
	}
	name := strings.Replace(kmsg.NameForKey(key), "InitProducerID", "InitProducerId", 1)
	return strings.Replace(name, "AlterPartitionAssignments", "AlterPartitionReassignments", 1)
}

// TestErrorCodes holds the list of error codes in docs/protocol.md to Kafka's
// names, and to what codes.go can answer.
func TestErrorCodes(t *testing.T) {
	raw, err := os.ReadFile(protocolPage)
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(raw), "## 8. Error codes")
	listed := map[int16]bool{}
	for line := range strings.Lines(list) {
		cells := strings.Split(line, "|")
		var code int16
		if len(cells) < 5 {
			continue
		}
		if _, err := fmt.Sscan(cells[1], &code); err != nil || code == 0 {
			continue
		}
		listed[code] = true
		k := kerr.TypedErrorForCode(code)
		if name := strings.TrimSpace(cells[2]); name != kafkaName(k) {
			t.Errorf("%d is %s, not %s", code, kafkaName(k), name)
		}
		if again := strings.TrimSpace(cells[3]) == "yes"; again != k.Retriable {
			t.Errorf("%s: retriable is %v", k.Message, k.Retriable)
		}
	}
	for _, c := range codes {
		if !listed[c.kafka.Code] {
			t.Errorf("%s (%d) is answered and not listed", c.kafka.Message, c.kafka.Code)
		}
	}
}

// kafkaName is the name of today; kerr keeps some of yesterday's.
func kafkaName(k *kerr.Error) string {
	if k.Code == 6 {
		return "NOT_LEADER_OR_FOLLOWER"
	}
	return k.Message
}
