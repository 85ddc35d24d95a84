package client

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ResourceType says what kind of thing has settings.
type ResourceType int8

const (
	TopicResource         ResourceType = 2
	BrokerResource        ResourceType = 4
	BrokerLoggerResource  ResourceType = 8
	ClientMetricsResource ResourceType = 16
	GroupResource         ResourceType = 32
)

func (t ResourceType) String() string {
	switch t {
	case TopicResource:
		return "topic"
	case BrokerResource:
		return "broker"
	case BrokerLoggerResource:
		return "broker-logger"
	case ClientMetricsResource:
		return "client-metrics"
	case GroupResource:
		return "group"
	}
	return fmt.Sprintf("resource-type-%d", int8(t))
}

// Resource names a thing that has settings. A broker's name is its decimal id;
// the cluster-wide default of all brokers has the empty name.
type Resource struct {
	Type ResourceType
	Name string
}

// Source is where a value came from; the numbers are Kafka's.
type Source int8

const (
	DynamicTopic         Source = 1
	DynamicBroker        Source = 2
	DynamicDefaultBroker Source = 3
	StaticBroker         Source = 4
	DefaultValue         Source = 5
	DynamicBrokerLogger  Source = 6
	DynamicClientMetrics Source = 7
	DynamicGroup         Source = 8
)

// String is the name that Kafka's tools print.
func (s Source) String() string {
	names := map[Source]string{
		DynamicTopic: "DYNAMIC_TOPIC_CONFIG", DynamicBroker: "DYNAMIC_BROKER_CONFIG",
		DynamicDefaultBroker: "DYNAMIC_DEFAULT_BROKER_CONFIG", StaticBroker: "STATIC_BROKER_CONFIG",
		DefaultValue: "DEFAULT_CONFIG", DynamicBrokerLogger: "DYNAMIC_BROKER_LOGGER_CONFIG",
		DynamicClientMetrics: "DYNAMIC_CLIENT_METRICS_CONFIG", DynamicGroup: "DYNAMIC_GROUP_CONFIG",
	}
	if n, ok := names[s]; ok {
		return n
	}
	return "UNKNOWN"
}

// MarshalText makes JSON carry the name.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Setting is one value of a resource. Value is nil when it is sensitive or unset.
type Setting struct {
	Name          string    `json:"name"`
	Value         *string   `json:"value"`
	Source        Source    `json:"source"`
	ReadOnly      bool      `json:"readOnly"`
	Sensitive     bool      `json:"sensitive"`
	Synonyms      []Synonym `json:"synonyms,omitempty"`
	Documentation string    `json:"documentation,omitempty"`
}

// Synonym is one place that a value could have come from, highest first.
type Synonym struct {
	Name   string  `json:"name"`
	Value  *string `json:"value"`
	Source Source  `json:"source"`
}

// DescribeConfigs gives the settings of each resource, by name.
func (a *Admin) DescribeConfigs(ctx context.Context, resources ...Resource) (map[Resource][]Setting, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms = true
	for _, r := range resources {
		rr := kmsg.NewDescribeConfigsRequestResource()
		rr.ResourceType, rr.ResourceName, rr.ConfigNames = kmsg.ConfigResourceType(r.Type), r.Name, nil
		req.Resources = append(req.Resources, rr)
	}
	out := map[Resource][]Setting{}
	for _, shard := range a.c.raw.RequestSharded(ctx, req) { // a broker answers for itself only
		if shard.Err != nil {
			return nil, a.c.explain("describe configs of", names(resources), shard.Err)
		}
		for _, r := range shard.Resp.(*kmsg.DescribeConfigsResponse).Resources {
			res := Resource{ResourceType(r.ResourceType), r.ResourceName}
			if err := answer("describe configs of "+res.Type.String(), res.Name, r.ErrorCode, r.ErrorMessage); err != nil {
				return nil, err
			}
			out[res] = settings(r.Configs)
		}
	}
	for _, r := range resources {
		if _, ok := out[r]; !ok {
			return nil, &Error{Doing: "describe configs of " + r.Type.String(), Name: r.Name, Code: kerr.UnknownServerError,
				Message: "the broker left it out of its answer"}
		}
	}
	return out, nil
}

func names(resources []Resource) string {
	list := make([]string, len(resources))
	for i, r := range resources {
		list[i] = r.Name
	}
	return strings.Join(list, ",")
}

func settings(configs []kmsg.DescribeConfigsResponseResourceConfig) []Setting {
	list := make([]Setting, 0, len(configs))
	for _, c := range configs {
		s := Setting{Name: c.Name, Value: c.Value, Source: Source(c.Source), ReadOnly: c.ReadOnly, Sensitive: c.IsSensitive}
		if c.Documentation != nil {
			s.Documentation = *c.Documentation
		}
		for _, y := range c.ConfigSynonyms {
			s.Synonyms = append(s.Synonyms, Synonym{Name: y.Name, Value: y.Value, Source: Source(y.Source)})
		}
		list = append(list, s)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// ConfigOp is one change to one setting.
type ConfigOp struct {
	Op    AlterOp
	Name  string
	Value string // not for Delete
}

// AlterOp says what a ConfigOp does; the numbers are Kafka's.
type AlterOp int8

const (
	Set      AlterOp = 0
	Delete   AlterOp = 1
	Append   AlterOp = 2 // to a list
	Subtract AlterOp = 3 // from a list
)

// AlterConfigs changes settings of one resource; what ops do not name stays.
func (a *Admin) AlterConfigs(ctx context.Context, r Resource, ops ...ConfigOp) error {
	return a.alterConfigs(ctx, r, ops, false)
}

// ValidateAlterConfigs does everything that AlterConfigs does, but alter.
func (a *Admin) ValidateAlterConfigs(ctx context.Context, r Resource, ops ...ConfigOp) error {
	return a.alterConfigs(ctx, r, ops, true)
}

// AlterBrokerAnywhere alters settings of one broker by way of any broker: the one
// that they are for may be away.
func (a *Admin) AlterBrokerAnywhere(ctx context.Context, id int32, ops ...ConfigOp) error {
	cluster, err := a.Cluster(ctx)
	if err != nil {
		return err
	}
	to := cluster.Controller
	if to < 0 && len(cluster.Brokers) > 0 {
		to = cluster.Brokers[0].ID
	}
	r := brokerResource(id)
	answered, err := a.c.raw.Broker(int(to)).RetriableRequest(ctx, alteration(r, ops, false))
	if err != nil {
		return a.c.explain("alter configs of broker", r.Name, err)
	}
	for _, got := range answered.(*kmsg.IncrementalAlterConfigsResponse).Resources {
		if err := answer("alter configs of broker", r.Name, got.ErrorCode, got.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}

// alteration is the request for it.
func alteration(r Resource, ops []ConfigOp, dry bool) *kmsg.IncrementalAlterConfigsRequest {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.ValidateOnly = dry
	rr := kmsg.NewIncrementalAlterConfigsRequestResource()
	rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceType(r.Type), r.Name
	for _, op := range ops {
		rc := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		rc.Name, rc.Op = op.Name, kmsg.IncrementalAlterConfigOp(op.Op)
		if op.Op != Delete {
			rc.Value = kmsg.StringPtr(op.Value)
		}
		rr.Configs = append(rr.Configs, rc)
	}
	req.Resources = append(req.Resources, rr)
	return req
}

func (a *Admin) alterConfigs(ctx context.Context, r Resource, ops []ConfigOp, dry bool) error {
	req := alteration(r, ops, dry)
	doing := "alter configs of " + r.Type.String()
	for _, shard := range a.c.raw.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return a.c.explain(doing, r.Name, shard.Err)
		}
		for _, got := range shard.Resp.(*kmsg.IncrementalAlterConfigsResponse).Resources {
			if err := answer(doing, r.Name, got.ErrorCode, got.ErrorMessage); err != nil {
				return err
			}
		}
	}
	return nil
}

// ConfigResources lists the names of one type that have settings of their own.
func (a *Admin) ConfigResources(ctx context.Context, t ResourceType) ([]string, error) {
	req := kmsg.NewPtrListConfigResourcesRequest()
	req.ResourceTypes = []int8{int8(t)}
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return nil, a.c.explain("list config resources", t.String(), err)
	}
	if err := answer("list config resources", t.String(), resp.ErrorCode, nil); err != nil {
		return nil, err
	}
	var list []string
	for _, r := range resp.ConfigResources {
		list = append(list, r.Name)
	}
	sort.Strings(list)
	return list, nil
}
