package broker

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/wire"
)

// TestQuorumJudge: node 1 asks what is left of the quorum of nodes 1 to 3, of which
// node 4 is a member without a vote.
func TestQuorumJudge(t *testing.T) {
	group := step.TopicID{7}
	member := func(node int32) Member {
		return Member{Node: node, Directory: step.TopicID{byte(node)}, Address: fmt.Sprint("host-", node)}
	}
	says := func(node, leader int32) *wire.DescribeNodeResponse {
		return &wire.DescribeNodeResponse{Node: node, Directory: [16]byte{byte(node)}, ClusterID: "c", Leader: leader, Recovery: group}
	}
	wiped := says(2, 2)
	wiped.Directory[1] = 1
	anew := says(4, 2)
	anew.Recovery = [16]byte{8}
	for name, c := range map[string]struct {
		votes   bool
		answers [3]*wire.DescribeNodeResponse // of nodes 2, 3 and 4
		want    string                        // "": the quorum is lost
		silent  int
	}{
		"nobody answers":                       {votes: true, silent: 2},
		"only one without a vote answers":      {votes: true, answers: [3]*wire.DescribeNodeResponse{2: says(4, -1)}, silent: 2},
		"one that leads nothing":               {votes: true, answers: [3]*wire.DescribeNodeResponse{says(2, -1)}, want: "2 of its 3 voters answer", silent: 1},
		"one that does not know yet":           {votes: true, answers: [3]*wire.DescribeNodeResponse{says(2, 2)}, want: "2 of its 3 voters answer", silent: 1},
		"all of them":                          {votes: true, answers: [3]*wire.DescribeNodeResponse{says(2, 3), says(3, 3), says(4, 3)}, want: "3 of its 3 voters answer"},
		"a leader out of sight":                {answers: [3]*wire.DescribeNodeResponse{2: says(4, 2)}, want: "node 4 says that node 2 leads it", silent: 2},
		"no vote here, one answers":            {answers: [3]*wire.DescribeNodeResponse{says(2, -1)}, silent: 1},
		"a node takes this one for the leader": {answers: [3]*wire.DescribeNodeResponse{2: says(4, 1)}, silent: 2},
		"another disk of a voter":              {votes: true, answers: [3]*wire.DescribeNodeResponse{wiped}, silent: 2},
		"of another quorum":                    {votes: true, answers: [3]*wire.DescribeNodeResponse{2: anew}, silent: 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := QuorumPlan{Identity: Identity{ClusterID: "c", NodeID: 1}, Self: member(1), votes: c.votes}
			p.Remains = controller.Remains{Group: group, Voters: []Member{member(1), member(2), member(3)}, Observers: []Member{member(4)}}
			heards := []heard{{is: c.answers[0]}, {is: c.answers[1]}, {is: c.answers[2]}}
			err := p.judge([]Member{member(2), member(3), member(4)}, heards)
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrQuorumLives) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v; %q is wanted", err, c.want)
			}
			if len(p.Silent) != c.silent || len(p.Answers) != 2-c.silent {
				t.Errorf("answers %v, silent %v", p.Answers, p.Silent)
			}
		})
	}
}
