package wire

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func counted(f *Failures) (out []string) {
	f.Each(func(key, code int16, n int64) { out = append(out, fmt.Sprintf("%d:%d=%d", key, code, n)) })
	slices.Sort(out)
	return out
}

func TestFailures(t *testing.T) {
	f := NewFailures([]int16{0, 8, 12})
	commit := kmsg.NewPtrOffsetCommitResponse()
	commit.Topics = []kmsg.OffsetCommitResponseTopic{
		{Topic: "a", Partitions: []kmsg.OffsetCommitResponseTopicPartition{{ErrorCode: 22}, {}, {ErrorCode: 3}}},
		{Topic: "b", Partitions: []kmsg.OffsetCommitResponseTopicPartition{{ErrorCode: 22}}},
	}
	call := Call{Key: 8, Version: 8, Failures: f}
	call.Reply().Answer(commit).Release()
	Respond(&Call{Key: 12, Failures: f}, &kmsg.HeartbeatResponse{ErrorCode: -1}).Drop()
	Respond(&Call{Key: 12, Failures: f}, &kmsg.HeartbeatResponse{}).Drop()
	Respond(&Call{Key: 13, Failures: f}, &kmsg.LeaveGroupResponse{ErrorCode: 25}).Drop() // not asked for
	Respond(&Call{Key: 12}, &kmsg.HeartbeatResponse{ErrorCode: 25}).Drop()               // nobody counts
	for _, code := range []int16{0, 6, 9999, -7} {
		f.Add(0, code)
	}
	if got, want := counted(f), []string{"0:-1=2", "0:6=1", "12:-1=1", "8:22=2", "8:3=1"}; !slices.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	if n := testing.AllocsPerRun(100, func() { f.Answered(commit) }); n > 0 {
		t.Errorf("counting an answer allocates %v times", n)
	}
}

// Of 10,000 partitions, as a large Metadata or OffsetCommit answer has.
func BenchmarkFailures(b *testing.B) {
	f := NewFailures([]int16{8})
	resp := kmsg.NewPtrOffsetCommitResponse()
	resp.Topics = []kmsg.OffsetCommitResponseTopic{{Partitions: make([]kmsg.OffsetCommitResponseTopicPartition, 10000)}}
	b.ReportAllocs()
	for b.Loop() {
		f.Answered(resp)
	}
}
