package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/record"
)

// stack is a log of batches, each of the records from an offset on.
func stack(t *testing.T, texts ...string) (log []record.Batch) {
	t.Helper()
	for _, text := range texts {
		var at int64
		var value string
		if _, err := fmt.Sscanf(text, "%d %s", &at, &value); err != nil {
			t.Fatal(err)
		}
		var rs []record.Record
		for i, v := range strings.Split(value, ",") {
			rs = append(rs, record.Record{Timestamp: int64(i), Key: []byte("k"), Value: []byte(v)})
		}
		b, err := record.Build(record.Spec{}, rs...)
		if err != nil {
			t.Fatal(err)
		}
		b.SetBaseOffset(at)
		log = append(log, b)
	}
	return log
}

// TestCompareReplicas shows the comparison a leader's log and a follower's.
func TestCompareReplicas(t *testing.T) {
	whole := []string{"0 a,b", "2 c", "3 d,e", "5 f"}
	flipped := func(log []record.Batch, i int) []record.Batch {
		log[i] = slices.Clone(log[i])
		log[i][len(log[i])-2] ^= 1
		return log
	}
	torn := func(log []record.Batch, i int) []record.Batch { // however much of it is asked for
		log[i] = log[i][:len(log[i])-1]
		return log
	}
	for name, c := range map[string]struct {
		lead, other []record.Batch
		compacted   bool
		fails       error // of the other
		want        string
	}{
		"equal":                     {lead: stack(t, whole...), other: stack(t, whole...)},
		"empty":                     {},
		"other bytes":               {lead: stack(t, whole...), other: stack(t, "0 a,b", "2 x", "3 d,e", "5 f"), want: "2@2 has other bytes than on the leader"},
		"one missing":               {lead: stack(t, whole...), other: stack(t, "0 a,b", "3 d,e", "5 f"), want: "2@2 is missing"},
		"the last missing":          {lead: stack(t, whole...), other: stack(t, whole[:3]...), want: "2@5 is missing"},
		"all missing":               {lead: stack(t, whole[:2]...), want: "2@0 is missing; 2@2 is missing"},
		"one too many":              {lead: stack(t, "0 a,b", "3 d,e", "5 f"), other: stack(t, whole...), want: "2@2 is not on the leader"},
		"the last too many":         {lead: stack(t, whole[:3]...), other: stack(t, whole...), want: "2@5 is not on the leader"},
		"cut in another way":        {lead: stack(t, "0 a,b", "2 c"), other: stack(t, "0 a", "1 b", "2 c"), want: "2@0 has other bytes than on the leader; 2@1 is not on the leader"},
		"a flipped bit":             {lead: stack(t, whole...), other: flipped(stack(t, whole...), 2), want: "2@3 batch is corrupt"},
		"a flipped bit in both":     {lead: flipped(stack(t, whole...), 1), other: flipped(stack(t, whole...), 2), want: "1@2 batch is corrupt; 2@3 batch is corrupt"},
		"of the leader":             {lead: flipped(stack(t, whole...), 0), other: stack(t, whole...), want: "1@0 batch is corrupt"},
		"unreadable":                {lead: stack(t, whole...), other: stack(t, whole[:2]...), fails: errors.New("gone"), want: "2 not compared: gone"},
		"cut off":                   {lead: stack(t, whole...), other: torn(stack(t, whole...), 1), want: "2 not compared: offset 2 and on: batch is incomplete"},
		"cut off of the leader":     {lead: torn(stack(t, whole...), 1), other: stack(t, whole...), want: "2 not compared: its leader cannot be read: offset 2 and on: batch is incomplete; 1 not compared: its leader cannot be read: offset 2 and on: batch is incomplete"},
		"compacted apart":           {lead: stack(t, "0 a,b", "3 d,e", "5 f"), other: stack(t, "2 c", "3 d,e", "5 f"), compacted: true},
		"compacted and other":       {lead: stack(t, "0 a,b", "3 d,e"), other: stack(t, "3 d,x"), compacted: true, want: "2@4 has other bytes than on the leader"},
		"compacted and rebatched":   {lead: stack(t, "0 a,b"), other: stack(t, "0 a"), compacted: true},
		"compacted and corrupt":     {lead: stack(t, whole...), other: flipped(stack(t, whole...), 2), compacted: true, want: "2@3 batch is corrupt"},
		"nothing left of compacted": {lead: stack(t, whole...), compacted: true},
	} {
		t.Run(name, func(t *testing.T) {
			out := &verified{To: 6, Replicas: []int32{1, 2}}
			reader := func(broker int32, log []record.Batch, fails error) *replicaReader {
				return &replicaReader{broker: broker, compacted: c.compacted, read: func(int64) {},
					ask: func(_ context.Context, at int64, most int32) (int64, []byte, error) {
						for _, b := range log {
							if b.NextOffset() > at {
								return 6, b[:min(len(b), int(most))], nil // one at a time
							}
						}
						return 6, nil, fails
					}}
			}
			compare(t.Context(), out, reader(1, c.lead, nil), []*replicaReader{reader(2, c.other, c.fails)})
			var got []string
			for _, d := range out.Differences {
				got = append(got, fmt.Sprintf("%d@%d %s", d.Broker, d.Offset, strings.Split(d.What, ":")[0]))
			}
			for _, n := range out.NotCompared {
				got = append(got, fmt.Sprintf("%d not compared: %s", n.Broker, n.Reason))
			}
			if text := strings.Join(got, "; "); text != c.want {
				t.Errorf("found %q, expected %q", text, c.want)
			}
		})
	}
}

// More differences than anybody reads are counted only.
func TestCompareManyDifferences(t *testing.T) {
	v := &verified{}
	for i := range int64(50) {
		v.differs(1, i, "is missing")
	}
	if len(v.Differences) != maxDifferences || v.More != 50-maxDifferences {
		t.Errorf("%d listed, %d more", len(v.Differences), v.More)
	}
}
