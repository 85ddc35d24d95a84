package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
)

// TestQuorumText: a group in need is shown with what to do about it.
func TestQuorumText(t *testing.T) {
	now := time.Unix(1000, 0)
	q := client.Quorum{Leader: 2, Epoch: 7, Committed: 100, Members: []client.Member{
		{Node: 1, Directory: "old", Voter: true, LogEnd: -1},
		{Node: 2, Directory: "b", Voter: true, LogEnd: 100, LastSeen: now},
		{Node: 3, Directory: "c", Voter: true, LogEnd: 90, LastSeen: now.Add(-20 * time.Second)},
		{Node: 1, Directory: "new", LogEnd: 100, LastSeen: now},
	}}
	var out bytes.Buffer
	a := &app{e: &Env{Out: &out}}
	if err := a.quorumText("X", q, now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"controller  node 2 (epoch 7)", "silent for 20s", "10 ", "brokerd quorum remove 1 old\n  brokerd quorum add 1 new",
		"node 3 is silent: start it", "1 of 3 voters are there: if one more fails",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	q.Members = q.Members[1:2]
	if lines := quorumAdvice(q, now); len(lines) != 0 {
		t.Errorf("advice for one in health: %q", lines)
	}
}
