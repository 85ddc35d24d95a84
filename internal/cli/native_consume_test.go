package cli

import (
	"testing"

	"github.com/brokerd/brokerd/pkg/client"
)

// TestLeaders: a consumer says at once what it will hear nothing from.
func TestLeaderless(t *testing.T) {
	topic := func(name string, leaders ...int32) (d client.TopicDescription) {
		d.Name = name
		for i, l := range leaders {
			d.Partitions = append(d.Partitions, client.PartitionDescription{Partition: int32(i), Leader: l})
		}
		return d
	}
	for _, c := range []struct {
		name   string
		topics []client.TopicDescription
		only   []int32
		led    int
		want   string
	}{
		{"all are led", []client.TopicDescription{topic("t", 1, 1)}, nil, 2, ""},
		{"one is not", []client.TopicDescription{topic("t", 1, -1), topic("u", 1)}, nil, 2, "t-1"},
		{"one that is not asked for", []client.TopicDescription{topic("t", 1, -1)}, []int32{0}, 1, ""},
		{"many", []client.TopicDescription{topic("t", -1, -1, -1, -1, -1, -1, -1)}, nil, 0, "t-0, t-1, t-2, t-3, t-4 and 2 more"},
	} {
		if led, got := leaders(c.topics, c.only); led != c.led || got != c.want {
			t.Errorf("%s: %d are led, not %q", c.name, led, got)
		}
	}
}
