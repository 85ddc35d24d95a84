//go:build oracle

package oracle

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func newTopic(name string, partitions int32, replicas int16, config ...string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, replicas
	for i := 0; i < len(config); i += 2 {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: config[i], Value: &config[i+1]})
	}
	return t
}

func assigned(name string, replicas ...[]int32) kmsg.CreateTopicsRequestTopic {
	t := newTopic(name, -1, -1)
	for i, r := range replicas {
		t.ReplicaAssignment = append(t.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: int32(i), Replicas: r})
	}
	return t
}

// created asks both to create topics.
func (p *pair) created(what string, v int16, validateOnly bool, topics ...kmsg.CreateTopicsRequestTopic) {
	p.t.Helper()
	p.ask("create "+what, v, func(*side) kmsg.Request {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis, req.ValidateOnly, req.Topics = 10_000, validateOnly && v >= 1, topics
		return req
	})
}

// TestCreateTopics creates topics in every version, and some that cannot be.
func TestCreateTopics(t *testing.T) {
	p := newPair(t)
	for v := int16(0); v <= 7; v++ {
		name := func(s string) string { return fmt.Sprintf("ct%d%s", v, s) }
		p.created("one", v, false, newTopic(name("x"), 2, 1, "retention.ms", "5000", "cleanup.policy", "compact"))
		p.created("assigned", v, false, assigned(name("a"), []int32{1}, []int32{1}))
		p.created("dry", v, true, newTopic(name("dry"), 1, 1))
		p.created("with defaults", v, false, newTopic(name("d"), -1, -1))
		p.created("two", v, false, newTopic(name("m.n"), 1, 1), newTopic(name("other"), 1, 1))
		p.created("nothing", v, false)
		gap, both, both2 := assigned(name("y"), []int32{1}, []int32{1}), assigned(name("y"), []int32{1}), assigned(name("y"), []int32{1})
		gap.ReplicaAssignment[1].Partition = 2
		both.ReplicationFactor, both2.NumPartitions = 1, 1
		twice := assigned(name("y"), []int32{1}, []int32{1})
		twice.ReplicaAssignment[1].Partition = 0
		null := newTopic(name("y"), 1, 1, "retention.ms", "")
		null.Configs[0].Value = nil
		for _, wrong := range []struct {
			what  string
			topic kmsg.CreateTopicsRequestTopic
		}{
			{"what exists", newTopic(name("x"), 1, 1)}, {"what collides", newTopic(name("m_n"), 1, 1)},
			{"no name", newTopic("", 1, 1)}, {"two dots", newTopic("..", 1, 1)}, {"a slash", newTopic("a/b", 1, 1)},
			{"a long name", newTopic(strings.Repeat("a", 250), 1, 1)}, {"the metadata log", newTopic("__cluster_metadata", 1, 1)},
			{"no partitions", newTopic(name("y"), 0, 1)}, {"-2 partitions", newTopic(name("y"), -2, 1)},
			{"no replicas", newTopic(name("y"), 1, 0)}, {"-2 replicas", newTopic(name("y"), 1, -2)}, {"3 replicas", newTopic(name("y"), 1, 3)},
			{"10001 partitions", newTopic(name("y"), 10001, 1)},
			{"a setting of no number", newTopic(name("y"), 1, 1, "retention.ms", "soon")}, {"a setting too small", newTopic(name("y"), 1, 1, "retention.ms", "-5")},
			{"an unknown setting", newTopic(name("y"), 1, 1, "retentoin.ms", "1")}, {"an unknown policy", newTopic(name("y"), 1, 1, "cleanup.policy", "shred")},
			{"no replicas in sync", newTopic(name("y"), 1, 1, "min.insync.replicas", "0")}, {"a null setting", null},
			{"assignment and replicas", both}, {"assignment and partitions", both2}, {"assignment with a gap", gap}, {"a partition assigned twice", twice},
			{"assigned to nobody", assigned(name("y"), []int32{})}, {"assigned to a stranger", assigned(name("y"), []int32{2})},
			{"assigned twice to one", assigned(name("y"), []int32{1, 1})}, {"assigned unevenly", assigned(name("y"), []int32{1}, []int32{1, 2})},
		} {
			p.created(wrong.what, v, false, wrong.topic)
			if v >= 1 {
				p.created("dry "+wrong.what, v, true, wrong.topic)
			}
		}
		p.created("the same twice", v, false, newTopic(name("same"), 1, 1), newTopic(name("same"), 1, 1), newTopic(name("good"), 1, 1))
		p.created("two that collide", v, false, newTopic(name("p.q"), 1, 1), newTopic(name("p_q"), 1, 1))
	}
}

// TestCreatePartitions lets topics grow.
func TestCreatePartitions(t *testing.T) {
	p := newPair(t)
	for v := int16(0); v <= 3; v++ {
		x := fmt.Sprintf("cp%d", v)
		p.topic(x, 1)
		ask := func(name string, dry bool, topics ...kmsg.CreatePartitionsRequestTopic) {
			t.Helper()
			p.ask("grow "+name, v, func(*side) kmsg.Request {
				req := kmsg.NewPtrCreatePartitionsRequest()
				req.TimeoutMillis, req.ValidateOnly, req.Topics = 10_000, dry, topics
				return req
			})
		}
		to := func(topic string, n int32, replicas ...[]int32) kmsg.CreatePartitionsRequestTopic {
			g := kmsg.CreatePartitionsRequestTopic{Topic: topic, Count: n}
			for _, r := range replicas {
				g.Assignment = append(g.Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: r})
			}
			return g
		}
		ask("dry", true, to(x, 2))
		ask("to 2", false, to(x, 2))
		ask("to 4, assigned", false, to(x, 4, []int32{1}, []int32{1}))
		ask("nothing", false)
		for _, g := range []kmsg.CreatePartitionsRequestTopic{
			to(x, 4), to(x, 1), to(x, 0), to(x, -1), to(x, 20_005), to("absent", 3), to("", 3), to("a/b", 3),
			to(x, 6, []int32{1}), to(x, 5, []int32{5}), to(x, 5, []int32{1, 1}), to(x, 5, []int32{}), to(x, 5, []int32{1}, []int32{1}),
		} {
			ask(fmt.Sprintf("%.2s to %d %v", g.Topic, g.Count, g.Assignment), false, g)
			ask(fmt.Sprintf("dry %.2s to %d %v", g.Topic, g.Count, g.Assignment), true, g)
		}
		none := to(x, 5)
		none.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{}
		ask("to 5, assigned to nobody", false, none)
		ask("the same twice", false, to(x, 9), to(x, 10))
		ask("good and bad", false, to(x, 5), to("absent", 5))
	}
}

// TestDeleteTopics deletes by name and by id.
func TestDeleteTopics(t *testing.T) {
	p := newPair(t)
	for v := int16(0); v <= 6; v++ {
		for i := range 4 {
			p.topic(fmt.Sprintf("dt%d%d", v, i), 1)
		}
		name := func(i int) string { return fmt.Sprintf("dt%d%d", v, i) }
		ask := func(what string, topics ...func(*side) kmsg.DeleteTopicsRequestTopic) {
			t.Helper()
			p.ask("delete topics "+what, v, func(s *side) kmsg.Request {
				req := kmsg.NewPtrDeleteTopicsRequest()
				req.TimeoutMillis = 10_000
				for _, topic := range topics {
					d := topic(s)
					req.Topics = append(req.Topics, d)
					if d.Topic != nil {
						req.TopicNames = append(req.TopicNames, *d.Topic)
					}
				}
				if v < 6 {
					req.Topics = nil
				} else {
					req.TopicNames = nil
				}
				return req
			})
		}
		named := func(n string) func(*side) kmsg.DeleteTopicsRequestTopic {
			return func(*side) kmsg.DeleteTopicsRequestTopic { return kmsg.DeleteTopicsRequestTopic{Topic: &n} }
		}
		byID := func(n string) func(*side) kmsg.DeleteTopicsRequestTopic {
			return func(s *side) kmsg.DeleteTopicsRequestTopic { return kmsg.DeleteTopicsRequestTopic{TopicID: s.id(n)} }
		}
		ask("one", named(name(0)))
		ask("it again", named(name(0)))
		ask("nothing")
		ask("absent", named("absent"))
		ask("no name", named(""))
		ask("a slash", named("a/b"))
		ask("good and bad", named(name(1)), named("absent"))
		ask("the same twice", named(name(2)), named(name(2)))
		ask("the metadata log", named("__cluster_metadata"))
		if v < 6 {
			continue
		}
		ask("by id", byID(name(3)))
		ask("by an id that went", byID(name(3)))
		ask("by an unknown id", byID("absent"))
		ask("neither name nor id", func(*side) kmsg.DeleteTopicsRequestTopic { return kmsg.DeleteTopicsRequestTopic{} })
		ask("name and id", func(s *side) kmsg.DeleteTopicsRequestTopic {
			n := name(2)
			return kmsg.DeleteTopicsRequestTopic{Topic: &n, TopicID: s.id(n)}
		})
		ask("name and id of one", named(name(2)), byID(name(2)))
	}
}
