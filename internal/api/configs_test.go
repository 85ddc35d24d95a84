package api

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func describeConfigs(n *testNode, version int16, r meta.Resource, names ...string) kmsg.DescribeConfigsResponseResource {
	n.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version, req.IncludeSynonyms, req.IncludeDocumentation = version, true, true
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceType(r.Type), ResourceName: r.Name, ConfigNames: names}}
	return ask[*kmsg.DescribeConfigsResponse](n, req).Resources[0]
}

// setting finds one of them; it fails the test when it is not there.
func setting(t testing.TB, r kmsg.DescribeConfigsResponseResource, name string) kmsg.DescribeConfigsResponseResourceConfig {
	t.Helper()
	i := slices.IndexFunc(r.Configs, func(c kmsg.DescribeConfigsResponseResourceConfig) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("%s has no %s (%d settings, code %d)", r.ResourceName, name, len(r.Configs), r.ErrorCode)
	}
	return r.Configs[i]
}

// alterOne sends one IncrementalAlterConfigs of name, op, value, …; an op is
// =, -, + or / (subtract).
func alterOne(n *testNode, r meta.Resource, changes ...string) (int16, string) {
	n.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	a := kmsg.IncrementalAlterConfigsRequestResource{ResourceType: kmsg.ConfigResourceType(r.Type), ResourceName: r.Name}
	for i := 0; i < len(changes); i += 3 {
		c := kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: changes[i], Op: kmsg.IncrementalAlterConfigOp(strings.Index("=-+/", changes[i+1]))}
		if c.Op != opDelete {
			c.Value = &changes[i+2]
		}
		a.Configs = append(a.Configs, c)
	}
	req.Resources = append(req.Resources, a)
	got := ask[*kmsg.IncrementalAlterConfigsResponse](n, req).Resources[0]
	return got.ErrorCode, str(got.ErrorMessage)
}

func topicResource(name string) meta.Resource {
	return meta.Resource{Type: meta.TopicResource, Name: name}
}

func TestDescribeTopicConfigs(t *testing.T) {
	n := startNode(t)
	createTopic(n, "x", 1, "retention.ms", "5000")
	versionsOf(n, 32, func(version int16) {
		got := describeConfigs(n, version, topicResource("x"))
		own, def := setting(t, got, "retention.ms"), setting(t, got, "cleanup.policy")
		if str(own.Value) != "5000" || str(def.Value) != "delete" || own.IsSensitive || own.ReadOnly {
			t.Errorf("v%d: %+v %+v", version, own, def)
		}
		if version == 0 && (own.IsDefault || !def.IsDefault) {
			t.Errorf("v0: defaults are %v and %v", own.IsDefault, def.IsDefault)
		}
		if version >= 1 && (own.Source != 1 || def.Source != 5 || len(own.ConfigSynonyms) == 0 || own.ConfigSynonyms[0].Source != 1) {
			t.Errorf("v%d: %+v %+v", version, own, def)
		}
		if version >= 3 && (own.ConfigType != 5 || str(own.Documentation) == "") {
			t.Errorf("v%d: type %d, documentation %q", version, own.ConfigType, str(own.Documentation))
		}
	})
	if got := describeConfigs(n, 4, topicResource("x"), "retention.ms", "no.such"); len(got.Configs) != 1 {
		t.Errorf("one was asked for: %+v", got)
	}
	plain := kmsg.NewPtrDescribeConfigsRequest()
	plain.Version, plain.Resources = 4, []kmsg.DescribeConfigsRequestResource{{ResourceType: 2, ResourceName: "x"}}
	one := setting(t, ask[*kmsg.DescribeConfigsResponse](n, plain).Resources[0], "retention.ms")
	if len(one.ConfigSynonyms) > 0 || one.Documentation != nil {
		t.Errorf("not asked for: %+v", one)
	}
}

func TestDescribeOtherConfigs(t *testing.T) {
	n := startNode(t)
	broker := func(name string) meta.Resource { return meta.Resource{Type: meta.BrokerResource, Name: name} }
	got := setting(t, describeConfigs(n, 4, broker("1")), "node.id")
	if str(got.Value) != "1" || !got.ReadOnly || got.Source != 4 {
		t.Errorf("%+v", got)
	}
	if got := describeConfigs(n, 4, broker("")); got.ErrorCode != 0 || len(got.Configs) != 0 {
		t.Errorf("nothing is set for all brokers: %+v", got)
	}
	if code, why := alterOne(n, clusterDefault, "log.retention.ms", "=", "7000"); code != 0 {
		t.Fatalf("%d %s", code, why)
	}
	if got := setting(t, describeConfigs(n, 4, broker("")), "log.retention.ms"); str(got.Value) != "7000" || got.Source != 3 {
		t.Errorf("%+v", got)
	}
	if got := setting(t, describeConfigs(n, 4, broker("1")), "log.retention.ms"); str(got.Value) != "7000" || got.Source != 3 {
		t.Errorf("%+v", got)
	}
	for _, test := range []struct {
		r    meta.Resource
		want int16
		text string
	}{
		{broker("2"), 42, "Unexpected broker id, expected 1 or empty string, but received 2"},
		{broker("x"), 42, "Node id must be an integer, but it is: x"},
		{topicResource("absent"), 3, ""},
		{topicResource("a/b"), 17, ""},
		{meta.Resource{Type: 8, Name: "1"}, 42, ""},
		{meta.Resource{Type: 16, Name: "m"}, 42, ""},
		{meta.Resource{Type: 32}, 42, "Default group resources are not allowed."},
		{meta.Resource{Type: 77}, 42, ""},
	} {
		got := describeConfigs(n, 4, test.r)
		if got.ErrorCode != test.want || got.ErrorMessage == nil || test.text != "" && str(got.ErrorMessage) != test.text {
			t.Errorf("%+v: %d %q", test.r, got.ErrorCode, str(got.ErrorMessage))
		}
	}
}

func TestIncrementalAlterConfigs(t *testing.T) {
	n := startNode(t)
	createTopic(n, "x", 1, "retention.ms", "1", "segment.ms", "2")
	x := topicResource("x")
	own := func() map[string]string { return n.deps.Catalog.Image().Config(x) }
	steps := []struct {
		changes []string
		want    map[string]string
	}{
		{[]string{"retention.ms", "=", "10"}, map[string]string{"retention.ms": "10", "segment.ms": "2"}},
		{[]string{"segment.ms", "-", ""}, map[string]string{"retention.ms": "10"}},
		{[]string{"segment.ms", "-", ""}, map[string]string{"retention.ms": "10"}},
		{[]string{"cleanup.policy", "+", "compact"}, map[string]string{"retention.ms": "10", "cleanup.policy": "delete,compact"}},
		{[]string{"cleanup.policy", "+", "compact"}, map[string]string{"retention.ms": "10", "cleanup.policy": "delete,compact"}},
		{[]string{"cleanup.policy", "/", "delete", "retention.ms", "-", ""}, map[string]string{"cleanup.policy": "compact"}},
	}
	for _, s := range steps {
		if code, why := alterOne(n, x, s.changes...); code != 0 || !maps.Equal(own(), s.want) {
			t.Errorf("%v: %d %s, now %v", s.changes, code, why, own())
		}
	}
	for _, test := range []struct {
		changes []string
		want    int16
		text    string
	}{
		{[]string{"retention.ms", "+", "1"}, 40, "Can't APPEND to key retention.ms because its type is not LIST."},
		{[]string{"retention.ms", "/", "1"}, 40, "Can't SUBTRACT to key retention.ms because its type is not LIST."},
		{[]string{"retention.ms", "=", "soon"}, 40, ""},
		{[]string{"cleanup.policy", "+", "shred"}, 40, ""},
		{[]string{"no.such", "=", "1"}, 40, ""},
		{[]string{"retention.ms", "=", "1", "retention.ms", "-", ""}, 42, "Error due to duplicate config keys"},
		{[]string{"min.compaction.lag.ms", "=", "10", "max.compaction.lag.ms", "=", "5"}, 40, ""},
	} {
		code, why := alterOne(n, x, test.changes...)
		if code != test.want || why == "" || test.text != "" && why != test.text {
			t.Errorf("%v: %d %q", test.changes, code, why)
		}
	}
	if !maps.Equal(own(), map[string]string{"cleanup.policy": "compact"}) {
		t.Errorf("a refused change was made: %v", own())
	}
	if code, _ := alterOne(n, topicResource(""), "retention.ms", "=", "1"); code != 42 {
		t.Errorf("all topics were altered: %d", code)
	}
	if code, why := alterOne(n, topicResource("absent"), "retention.ms", "=", "1"); code != 3 || why != "The topic 'absent' does not exist." {
		t.Errorf("%d %q", code, why)
	}
	createTopic(n, "__consumer_offsets", 1)
	if code, _ := alterOne(n, topicResource("__consumer_offsets"), "cleanup.policy", "=", "delete"); code != 42 {
		t.Errorf("an internal topic was altered: %d", code)
	}
	if code, _ := alterOne(n, meta.Resource{Type: meta.BrokerResource, Name: "1"}, "node.id", "=", "2"); code != 42 {
		t.Errorf("a read-only setting was altered: %d", code)
	}
}

// TestAlterConfigs: what is named replaces all there was.
func TestAlterConfigs(t *testing.T) {
	n := startNode(t)
	createTopic(n, "x", 1, "retention.ms", "1", "segment.ms", "2")
	versionsOf(n, 33, func(version int16) {
		req := kmsg.NewPtrAlterConfigsRequest()
		req.Version = version
		x := kmsg.AlterConfigsRequestResource{ResourceType: 2, ResourceName: "x",
			Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: "max.message.bytes", Value: ptr("1000")}}}
		req.Resources, req.ValidateOnly = []kmsg.AlterConfigsRequestResource{x}, true
		before := n.deps.Catalog.Image().Index()
		if got := ask[*kmsg.AlterConfigsResponse](n, req); got.Resources[0].ErrorCode != 0 || n.deps.Catalog.Image().Index() != before {
			t.Errorf("v%d, validate only: %+v", version, got)
		}
		req.ValidateOnly = false
		got := ask[*kmsg.AlterConfigsResponse](n, req).Resources[0]
		if now := n.deps.Catalog.Image().Config(topicResource("x")); got.ErrorCode != 0 || !maps.Equal(now, map[string]string{"max.message.bytes": "1000"}) {
			t.Errorf("v%d: %+v, now %v", version, got, now)
		}
		req.Resources = []kmsg.AlterConfigsRequestResource{x, x}
		if got := ask[*kmsg.AlterConfigsResponse](n, req).Resources; got[0].ErrorCode != 42 || got[1].ErrorCode != 42 {
			t.Errorf("v%d, the same resource twice: %+v", version, got)
		}
		x.Configs[0].Value = nil
		req.Resources = []kmsg.AlterConfigsRequestResource{x}
		if got := ask[*kmsg.AlterConfigsResponse](n, req).Resources[0]; got.ErrorCode != 42 {
			t.Errorf("v%d, null: %+v", version, got)
		}
	})
}

// TestMinISRFollows: partitions carry the effective min.insync.replicas, so a
// change of the setting, here or for all brokers, reaches them in the same entry.
func TestMinISRFollows(t *testing.T) {
	n := startNode(t)
	for id := int32(2); id <= 3; id++ {
		n.submit(meta.RegisterBroker{ID: id, ClusterID: "the-cluster", Incarnation: [16]byte{byte(id)}, BootID: "b"})
	}
	if got := create(n, 7, assigned("x", []int32{1, 2, 3})); got[0].ErrorCode != 0 {
		t.Fatal(str(got[0].ErrorMessage))
	}
	minISR := func() int8 {
		x, _ := n.deps.Catalog.Image().TopicNamed("x")
		p, _ := x.Partition(0)
		return p.MinISR
	}
	x := topicResource("x")
	for _, step := range []struct {
		r    meta.Resource
		op   string
		to   string
		want int8
	}{
		{x, "=", "2", 2},
		{x, "=", "9", 3},
		{x, "=", "1", 1},
		{clusterDefault, "=", "3", 1},
		{x, "-", "", 3},
		{clusterDefault, "-", "", 2},
		{clusterDefault, "=", "1", 1},
	} {
		if code, why := alterOne(n, step.r, "min.insync.replicas", step.op, step.to); code != 0 || minISR() != step.want {
			t.Errorf("%+v: %d %s, min ISR %d", step, code, why, minISR())
		}
	}
}

func TestListConfigResources(t *testing.T) {
	n := startNode(t)
	createTopic(n, "x", 1)
	list := func(version int16, types ...int8) *kmsg.ListConfigResourcesResponse {
		return ask[*kmsg.ListConfigResourcesResponse](n, &kmsg.ListConfigResourcesRequest{Version: version, ResourceTypes: types})
	}
	if got := list(0); got.ErrorCode != 0 || len(got.ConfigResources) != 0 {
		t.Errorf("%+v", got)
	}
	if got := list(1); len(got.ConfigResources) != 2 || got.ConfigResources[0].Name != "x" || got.ConfigResources[1].Name != "1" {
		t.Errorf("%+v", got)
	}
	if got := list(1, 2); len(got.ConfigResources) != 1 || got.ConfigResources[0].Type != 2 {
		t.Errorf("%+v", got)
	}
	if got := list(1, 2, 99); got.ErrorCode != kerr.UnsupportedVersion.Code || len(got.ConfigResources) != 0 {
		t.Errorf("%+v", got)
	}
}

// A group has settings before it has members; its errors have Kafka's texts.
func TestGroupConfigs(t *testing.T) {
	n := startNode(t)
	g := meta.Resource{Type: meta.GroupResource, Name: "g"}
	const session, heartbeat = "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"
	if got := setting(t, describeConfigs(n, 4, g), session); str(got.Value) != "45000" || got.Source != 5 || got.ReadOnly {
		t.Errorf("%+v", got)
	}
	for _, s := range []struct {
		changes []string
		code    int16
		text    string
	}{
		{[]string{session, "=", "50000"}, 0, ""},
		{[]string{session, "=", "90000"}, 40, session + " must be in the range 45000 to 60000 inclusive."},
		{[]string{heartbeat, "=", "x"}, 40, "Invalid value x for configuration " + heartbeat + ": Not a number of type INT"},
		{[]string{session, "=", "-5"}, 40, "Invalid value -5 for configuration " + session + ": Value must be at least 1"},
		{[]string{"foo", "=", "1"}, 40, "Unknown group config name: foo"},
		{[]string{session, "+", "1"}, 40, "Can't APPEND to key " + session + " because its type is not LIST."},
		{[]string{heartbeat, "=", "6000"}, 0, ""},
		{[]string{heartbeat, "-", ""}, 0, ""},
	} {
		if code, why := alterOne(n, g, s.changes...); code != s.code || why != s.text {
			t.Errorf("%v: %d %q", s.changes, code, why)
		}
	}
	got := setting(t, describeConfigs(n, 4, g), session)
	if str(got.Value) != "50000" || got.Source != 8 || len(got.ConfigSynonyms) != 2 || got.ConfigSynonyms[1].Name != "group."+session {
		t.Errorf("%+v", got)
	}
	if own := n.deps.Catalog.Image().Config(g); !maps.Equal(own, map[string]string{session: "50000"}) {
		t.Errorf("%v", own)
	}
}
