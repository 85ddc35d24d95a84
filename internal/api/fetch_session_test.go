package api

import (
	"testing"

	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessionClient speaks to the sessions as one consumer.
type sessionClient struct {
	t       *testing.T
	s       *fetchSessions
	version int16
	id      int32
	epoch   int32
}

// ask sends the named partitions of topic t and returns the call.
func (c *sessionClient) ask(partitions []int32, forget []int32) (*fetchCall, error) {
	f := &fetchCall{d: Deps{Catalog: catalog.NewStore()}, reply: wire.Reply{Key: 1, Version: c.version}}
	f.req.SessionID, f.req.SessionEpoch = c.id, c.epoch
	if len(partitions) > 0 {
		topic := kmsg.NewFetchRequestTopic()
		topic.Topic = "t"
		for _, p := range partitions {
			q := kmsg.NewFetchRequestTopicPartition()
			q.Partition = p
			topic.Partitions = append(topic.Partitions, q)
		}
		f.req.Topics = append(f.req.Topics, topic)
	}
	if len(forget) > 0 {
		f.req.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "t", Partitions: forget}}
	}
	err := c.s.open(f, &wire.Call{Version: c.version})
	if err == nil {
		c.id = f.sessionID
		c.epoch = nextEpoch(max(c.epoch, 0))
	}
	return f, err
}

// answered pretends that the partitions have been read: size bytes for those in sizes.
func answered(f *fetchCall, hw int64, sizes map[int32]int64) (included []int32) {
	for i := range f.parts {
		p := &f.parts[i]
		p.read.View = storage.View{HighWatermark: hw}
		p.size = sizes[p.partition]
	}
	f.choose()
	for i := range f.parts {
		if f.parts[i].include {
			included = append(included, f.parts[i].partition)
		}
	}
	return included
}

func equal(t *testing.T, what string, got []int32, want ...int32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}

func TestFetchSession(t *testing.T) {
	s := newFetchSessions(10)
	c := &sessionClient{t: t, s: s, version: 12}
	f, err := c.ask([]int32{0, 1, 2}, nil)
	if err != nil || c.id == 0 {
		t.Fatal("no session", err)
	}
	equal(t, "a full answer has all", answered(f, 5, nil), 0, 1, 2)

	f, _ = c.ask(nil, nil)
	equal(t, "nothing is new", answered(f, 5, nil))

	f, _ = c.ask(nil, nil)
	equal(t, "data", answered(f, 5, map[int32]int64{0: 10}), 0)

	f, _ = c.ask(nil, nil)
	equal(t, "watermark moved, and 0 has been put last", answered(f, 6, nil), 1, 2, 0)

	f, _ = c.ask([]int32{3}, []int32{1})
	equal(t, "one more, one less", answered(f, 6, nil), 3)
	f, _ = c.ask(nil, nil)
	equal(t, "order", answered(f, 7, nil), 2, 0, 3)

	wrong := *c
	wrong.epoch += 3
	if _, err := wrong.ask(nil, nil); err != kerr.InvalidFetchSessionEpoch {
		t.Fatal(err)
	}
	ids := *c
	ids.version = 13
	if _, err := ids.ask(nil, nil); err != kerr.FetchSessionTopicIDError {
		t.Fatal(err)
	}
	end := *c
	end.epoch = finalEpoch
	f, err = end.ask([]int32{0}, nil)
	if err != nil || end.id != 0 {
		t.Fatal(end.id, err)
	}
	equal(t, "without a session all are answered", answered(f, 7, nil), 0)
	if _, err := c.ask(nil, nil); err != kerr.FetchSessionIDNotFound {
		t.Fatal(err)
	}
}

func TestFetchSessionWithoutPartitionsEnds(t *testing.T) {
	s := newFetchSessions(10)
	c := &sessionClient{t: t, s: s, version: 12}
	f, _ := c.ask([]int32{0, 1}, nil)
	answered(f, 5, nil)
	if f, err := c.ask(nil, []int32{0, 1}); err != nil || f.sessionID != 0 || f.incremental || len(s.byID) != 0 {
		t.Fatal(f.sessionID, len(s.byID), err)
	}
}

func TestFetchSessionErrorIsToldAgain(t *testing.T) {
	s := newFetchSessions(10)
	c := &sessionClient{t: t, s: s, version: 12}
	f, _ := c.ask([]int32{0}, nil)
	answered(f, 5, nil)
	f, _ = c.ask(nil, nil)
	f.parts[0].err = kerr.NotLeaderForPartition
	f.choose()
	if !f.parts[0].include {
		t.Fatal("an error was kept back")
	}
	f, _ = c.ask(nil, nil)
	equal(t, "the error is gone", answered(f, 5, nil), 0)
	f, _ = c.ask(nil, nil)
	equal(t, "and nothing is new", answered(f, 5, nil))
}

func TestFetchSessionsAreBounded(t *testing.T) {
	s := newFetchSessions(3)
	var clients []*sessionClient
	for range 3 {
		c := &sessionClient{t: t, s: s, version: 12}
		if _, err := c.ask([]int32{0}, nil); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	if _, err := clients[0].ask(nil, nil); err != nil {
		t.Fatal(err)
	}
	c := &sessionClient{t: t, s: s, version: 12}
	if _, err := c.ask([]int32{0}, nil); err != nil || len(s.byID) != 3 {
		t.Fatal(len(s.byID), err)
	}
	if _, err := clients[1].ask(nil, nil); err != kerr.FetchSessionIDNotFound {
		t.Fatal("the least recently used session lives", err)
	}
	if _, err := clients[0].ask(nil, nil); err != nil {
		t.Fatal(err)
	}
}
