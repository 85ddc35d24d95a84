//go:build oracle

package oracle

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// resource is what has settings.
type resource struct {
	kind kmsg.ConfigResourceType
	name string
}

func (r resource) String() string { return fmt.Sprintf("%d %q", int8(r.kind), r.name) }

// strangers are resources that are not there, or of kinds that have no settings.
var strangers = []resource{{2, "absent"}, {2, "a/b"}, {2, ""}, {4, "2"}, {4, "x"}, {4, "-1"}, {8, "2"}, {8, "x"}, {16, ""}, {32, ""}, {0, "x"}, {99, "x"}, {-1, ""}}

// TestDescribeConfigs reads the settings of everything.
func TestDescribeConfigs(t *testing.T) {
	p := newPair(t)
	p.topic("dc", 1, "segment.ms", "70000", "cleanup.policy", "compact,delete")
	for v := int16(0); v <= 4; v++ {
		ask := func(name string, synonyms, words bool, of ...kmsg.DescribeConfigsRequestResource) {
			t.Helper()
			p.ask("describe configs "+name, v, func(*side) kmsg.Request {
				req := kmsg.NewPtrDescribeConfigsRequest()
				req.IncludeSynonyms, req.IncludeDocumentation, req.Resources = synonyms, words, of
				return req
			})
		}
		of := func(kind kmsg.ConfigResourceType, name string, settings ...string) kmsg.DescribeConfigsRequestResource {
			return kmsg.DescribeConfigsRequestResource{ResourceType: kind, ResourceName: name, ConfigNames: settings}
		}
		ask("of a topic", true, true, of(2, "dc"))
		ask("of a topic, briefly", false, false, of(2, "dc"))
		ask("some", true, true, of(2, "dc", "segment.ms", "retention.ms", "no.such"))
		ask("none", true, true, of(2, "dc", []string{}...))
		ask("of a broker", true, true, of(4, "1"))
		ask("of a broker, some", true, true, of(4, "1", "log.segment.ms", "node.id", "log.retention.hours"))
		ask("of all brokers", true, true, of(4, ""))
		ask("of two", false, false, of(2, "dc", "segment.ms"), of(4, "1", "node.id"))
		ask("the same twice", false, false, of(2, "dc", "segment.ms"), of(2, "dc", "segment.ms"))
		ask("of nothing", false, false)
		for _, r := range strangers {
			ask(fmt.Sprint("of ", r), true, true, of(r.kind, r.name))
		}
	}
}

// TestAlterConfigs replaces the settings of topics and brokers.
func TestAlterConfigs(t *testing.T) {
	p := newPair(t)
	for v := int16(0); v <= 2; v++ {
		topic := fmt.Sprintf("ac%d", v)
		p.topic(topic, 1)
		set := func(r resource, pairs ...string) kmsg.AlterConfigsRequestResource {
			a := kmsg.AlterConfigsRequestResource{ResourceType: r.kind, ResourceName: r.name}
			for i := 0; i < len(pairs); i += 2 {
				c := kmsg.AlterConfigsRequestResourceConfig{Name: pairs[i], Value: &pairs[i+1]}
				if pairs[i+1] == "null" {
					c.Value = nil
				}
				a.Configs = append(a.Configs, c)
			}
			return a
		}
		ask := func(name string, dry bool, list ...kmsg.AlterConfigsRequestResource) {
			t.Helper()
			p.ask("alter "+name, v, func(*side) kmsg.Request {
				req := kmsg.NewPtrAlterConfigsRequest()
				req.ValidateOnly, req.Resources = dry, list
				return req
			})
		}
		own := resource{2, topic}
		ask("dry", true, set(own, "retention.ms", "9"))
		ask("one", false, set(own, "retention.ms", "9", "segment.ms", "8000"))
		ask("to nothing", false, set(own))
		ask("nothing", false)
		ask("a broker", true, set(resource{4, "1"}, "log.retention.ms", "700000"))
		ask("all brokers", true, set(resource{4, ""}, "log.retention.ms", "700000"))
		p.showConfig(own)
		for _, wrong := range [][]string{
			{"retention.ms", "null"}, {"retention.ms", "soon"}, {"retention.ms", "-7"}, {"no.such", "1"}, {"retention.ms", "1", "retention.ms", "2"},
			{"cleanup.policy", "shred"}, {"min.compaction.lag.ms", "10", "max.compaction.lag.ms", "5"}, {"", "1"}, {"node.id", "3"},
		} {
			ask(fmt.Sprintf("to %v", wrong), false, set(own, wrong...))
			ask(fmt.Sprintf("dry to %v", wrong), true, set(own, wrong...))
			ask(fmt.Sprintf("a broker to %v", wrong), true, set(resource{4, "1"}, wrong...))
		}
		// The same resource twice is left out: Kafka never answers it.
		for _, r := range strangers {
			ask(fmt.Sprint("of ", r), true, set(r, "retention.ms", "5"))
			ask(fmt.Sprint("of ", r, " to nothing"), true, set(r))
		}
		p.showConfig(own)
	}
}

// showConfig compares what a resource has now.
func (p *pair) showConfig(r resource) {
	p.t.Helper()
	p.settled("configs shown", 2, func(*side) kmsg.Request {
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: r.kind, ResourceName: r.name,
			ConfigNames: []string{"retention.ms", "segment.ms", "cleanup.policy", "log.retention.ms", "min.compaction.lag.ms"}}}
		return req
	})
}

// TestIncrementalAlterConfigs changes settings one by one.
func TestIncrementalAlterConfigs(t *testing.T) {
	p := newPair(t)
	for v := int16(0); v <= 1; v++ {
		topic := fmt.Sprintf("iac%d", v)
		p.topic(topic, 1)
		change := func(r resource, words ...string) kmsg.IncrementalAlterConfigsRequestResource {
			a := kmsg.IncrementalAlterConfigsRequestResource{ResourceType: r.kind, ResourceName: r.name}
			for i := 0; i < len(words); i += 3 {
				c := kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: words[i], Value: &words[i+2]}
				switch words[i+1] {
				case "delete":
					c.Op, c.Value = 1, nil
				case "append":
					c.Op = 2
				case "subtract":
					c.Op = 3
				case "odd":
					c.Op = 9
				}
				if words[i+2] == "null" {
					c.Value = nil
				}
				a.Configs = append(a.Configs, c)
			}
			return a
		}
		ask := func(name string, dry bool, list ...kmsg.IncrementalAlterConfigsRequestResource) {
			t.Helper()
			p.ask("change "+name, v, func(*side) kmsg.Request {
				req := kmsg.NewPtrIncrementalAlterConfigsRequest()
				req.ValidateOnly, req.Resources = dry, list
				return req
			})
		}
		own := resource{2, topic}
		for _, step := range [][]string{
			{"retention.ms", "set", "10"}, {"segment.ms", "set", "8000", "retention.ms", "set", "20"}, {"segment.ms", "delete", ""}, {"segment.ms", "delete", ""},
			{"cleanup.policy", "append", "compact"}, {"cleanup.policy", "append", "compact"}, {"cleanup.policy", "subtract", "delete"},
			{"cleanup.policy", "subtract", "delete"}, {"cleanup.policy", "set", ""}, {"cleanup.policy", "delete", ""}, {"retention.ms", "delete", "value"},
		} {
			ask(fmt.Sprintf("dry %v", step), true, change(own, step...))
			ask(fmt.Sprint(step), false, change(own, step...))
			p.showConfig(own)
		}
		ask("nothing", false)
		ask("nothing of a topic", false, change(own))
		ask("a broker", true, change(resource{4, "1"}, "log.retention.ms", "set", "700000"))
		ask("all brokers", true, change(resource{4, ""}, "log.retention.ms", "set", "700000"))
		for _, wrong := range [][]string{
			{"retention.ms", "set", "soon"}, {"retention.ms", "set", "null"}, {"retention.ms", "append", "1"}, {"retention.ms", "subtract", "1"},
			{"cleanup.policy", "append", "shred"}, {"cleanup.policy", "append", "null"}, {"no.such", "set", "1"}, {"no.such", "delete", ""}, {"", "set", "1"},
			{"retention.ms", "set", "1", "retention.ms", "delete", ""}, {"retention.ms", "odd", "1"},
			{"min.compaction.lag.ms", "set", "10", "max.compaction.lag.ms", "set", "5"}, {"node.id", "set", "3"},
		} {
			ask(fmt.Sprint(wrong), false, change(own, wrong...))
			ask(fmt.Sprintf("a broker's %v", wrong), true, change(resource{4, "1"}, wrong...))
		}
		ask("the same twice", false, change(own, "retention.ms", "set", "1"), change(own, "retention.ms", "set", "2"))
		for _, r := range strangers {
			ask(fmt.Sprint("of ", r), true, change(r, "retention.ms", "set", "5"))
			ask(fmt.Sprint("of ", r, " nothing"), true, change(r))
		}
		p.showConfig(own)
	}
}

// TestBrokerDefaults sets what all brokers share, and takes it back.
func TestBrokerDefaults(t *testing.T) {
	p := newPair(t)
	p.topic("bd", 1)
	for _, op := range []kmsg.IncrementalAlterConfigOp{0, 1} {
		p.ask("change for all brokers", 1, func(*side) kmsg.Request {
			req := kmsg.NewPtrIncrementalAlterConfigsRequest()
			c := kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: "log.retention.ms", Op: op}
			if op == 0 {
				c.Value = ptr("700000")
			}
			req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: 4, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{c}}}
			return req
		})
		for _, r := range []resource{{4, ""}, {4, "1"}, {2, "bd"}} {
			p.showConfig(r)
		}
	}
}

// TestListConfigResources lists what has settings.
func TestListConfigResources(t *testing.T) {
	p := newPair(t)
	p.topic("lc", 1)
	for v := int16(0); v <= 1; v++ {
		for _, types := range [][]int8{nil, {}, {2}, {4}, {2, 4}, {4, 4}, {8}, {16}, {32}, {0}, {99}, {2, 99}, {-1}} {
			p.ask(fmt.Sprint("list resources ", types), v, func(*side) kmsg.Request {
				req := kmsg.NewPtrListConfigResourcesRequest()
				req.ResourceTypes = types
				return req
			})
		}
	}
}
