package api

import (
	"slices"
	"strconv"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (a *configsAPI) describe(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrDescribeConfigsRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	resp := kmsg.NewPtrDescribeConfigsResponse()
	for i := range req.Resources {
		rt := &req.Resources[i]
		o := kmsg.NewDescribeConfigsResponseResource()
		o.ResourceType, o.ResourceName = rt.ResourceType, rt.ResourceName
		err := v.checkDescribed(resource(rt.ResourceType, rt.ResourceName))
		if o.ErrorCode, o.ErrorMessage = codeText(err); err == nil {
			o.Configs = v.described(req, rt)
		}
		resp.Resources = append(resp.Resources, o)
	}
	return wire.Respond(c, resp)
}

func (v view) checkDescribed(r meta.Resource) error {
	if err := v.mayConfig(auth.DescribeConfigs, r); err != nil {
		return err
	}
	if err := v.checkResource(r); err != nil {
		return err
	}
	// Only the broker itself knows what its file says.
	if id, _ := brokerNamed(r.Name); r.Type == meta.BrokerResource && id != -1 && id != v.d.Conf.NodeID {
		return faultf(kerr.InvalidRequest, "Unexpected broker id, expected %d or empty string, but received %s", v.d.Conf.NodeID, printable(r.Name))
	}
	return nil
}

// described lists the settings of one resource that were asked for: none named
// is all of them.
func (v view) described(req *kmsg.DescribeConfigsRequest, rt *kmsg.DescribeConfigsRequestResource) (list []kmsg.DescribeConfigsResponseResourceConfig) {
	r := resource(rt.ResourceType, rt.ResourceName)
	for _, s := range v.settings(r, v.im.Config(r)) {
		if len(rt.ConfigNames) == 0 || slices.Contains(rt.ConfigNames, s.Name) {
			list = append(list, describedConfig(req, s))
		}
	}
	return list
}

func describedConfig(req *kmsg.DescribeConfigsRequest, s conf.Described) kmsg.DescribeConfigsResponseResourceConfig {
	o := kmsg.DescribeConfigsResponseResourceConfig{
		Name: s.Name, ReadOnly: s.ReadOnly, IsSensitive: s.Sensitive,
		IsDefault: s.Source == conf.Default, Source: kmsg.ConfigSource(s.Source),
		Value:      shown(s.Value, s.IsNull || s.Sensitive),
		ConfigType: kmsg.ConfigType(s.Type),
	}
	if req.IncludeDocumentation {
		o.Documentation = &s.Documentation
	}
	if !req.IncludeSynonyms {
		return o
	}
	for _, y := range s.Synonyms {
		o.ConfigSynonyms = append(o.ConfigSynonyms, kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{
			Name: y.Name, Value: shown(y.Value, y.IsNull || s.Sensitive), Source: kmsg.ConfigSource(y.Source),
		})
	}
	return o
}

// shown is a value as clients may see it.
func shown(value string, null bool) *string {
	if null {
		return nil
	}
	return &value
}

// list answers ListConfigResources: what has settings that can be described.
func (a *configsAPI) list(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrListConfigResourcesRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	resp := kmsg.NewPtrListConfigResourcesResponse()
	if !v.may(auth.DescribeConfigs, auth.TheCluster) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return wire.Respond(c, resp)
	}
	types := req.ResourceTypes
	switch {
	case c.Version == 0:
		types = []int8{int8(meta.ClientMetricsResource)} // it knew no other
	case len(types) == 0:
		types = []int8{int8(meta.TopicResource), int8(meta.BrokerResource), int8(meta.GroupResource)}
	}
	for _, t := range types {
		names, ok := v.resourceNames(meta.ResourceType(t))
		if !ok {
			resp.ErrorCode, resp.ConfigResources = kerr.UnsupportedVersion.Code, nil
			break
		}
		for _, name := range names {
			resp.ConfigResources = append(resp.ConfigResources, kmsg.ListConfigResourcesResponseConfigResource{Name: name, Type: t})
		}
	}
	return wire.Respond(c, resp)
}

// resourceNames lists the resources of one type; false for a type that Kafka
// does not have. Types that have no settings here have no resources.
func (v view) resourceNames(t meta.ResourceType) (names []string, ok bool) {
	switch t {
	case meta.TopicResource:
		for topic := range v.im.Topics() {
			names = append(names, topic.Name)
		}
	case meta.BrokerResource:
		for b := range v.im.Brokers() {
			names = append(names, strconv.Itoa(int(b.ID)))
		}
	case meta.GroupResource:
		names = slices.Collect(v.im.Resources(t))
	case meta.BrokerLoggerResource, meta.ClientMetricsResource:
	default:
		return nil, false
	}
	return names, true
}
