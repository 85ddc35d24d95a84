package api

import (
	"strconv"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// configsAPI answers DescribeConfigs (32), AlterConfigs (33),
// IncrementalAlterConfigs (44) and ListConfigResources (74). Topics, brokers and
// groups have settings; client metrics and loggers get them with what they set.
type configsAPI struct{ d Deps }

// resource reads what a request names.
func resource(t kmsg.ConfigResourceType, name string) meta.Resource {
	return meta.Resource{Type: meta.ResourceType(t), Name: name}
}

// mayConfig asks the authorizer for an operation on the settings of a resource.
func (v view) mayConfig(op auth.Operation, r meta.Resource) error {
	if r.Type == meta.TopicResource {
		if !v.mayTopic(op, r.Name) {
			return faultf(kerr.TopicAuthorizationFailed, "Topic authorization failed.")
		}
		return nil
	}
	if r.Type == meta.GroupResource {
		if v.allowedGroup(op, r.Name) != nil {
			return faultf(kerr.GroupAuthorizationFailed, "Group authorization failed.")
		}
		return nil
	}
	if !v.may(op, auth.TheCluster) {
		return faultf(kerr.ClusterAuthorizationFailed, "Cluster authorization failed.")
	}
	return nil
}

// checkResource refuses what has no settings, or is not there.
func (v view) checkResource(r meta.Resource) error {
	switch r.Type {
	case meta.TopicResource:
		if err := checkTopicName(r.Name); err != nil {
			return err
		}
		if _, ok := v.im.TopicNamed(r.Name); !ok {
			return faultf(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", r.Name)
		}
		return nil
	case meta.BrokerResource:
		_, err := brokerNamed(r.Name)
		return err
	case meta.BrokerLoggerResource:
		return faultf(kerr.InvalidRequest, "brokerd has no levels per logger: set the level of its log with --log-level or log.level.")
	case meta.GroupResource:
		if r.Name == "" {
			return faultf(kerr.InvalidRequest, "Default group resources are not allowed.")
		}
		return nil
	case meta.ClientMetricsResource:
		return faultf(kerr.InvalidRequest, "This broker keeps no settings of client metrics yet: it serves topics, brokers and groups.")
	}
	return faultf(kerr.InvalidRequest, "Unknown resource type %d", r.Type)
}

// brokerNamed reads the name of a broker resource; -1 is the cluster default.
func brokerNamed(name string) (id int32, err error) {
	if name == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(name, 10, 32)
	if err != nil || n < 0 {
		return 0, faultf(kerr.InvalidRequest, "Node id must be an integer, but it is: %s", printable(name))
	}
	return int32(n), nil
}

// settings lists every setting of a resource with its value, as if own were
// what it sets itself.
func (v view) settings(r meta.Resource, own map[string]string) []conf.Described {
	switch {
	case r.Type == meta.TopicResource:
		return v.d.Conf.DescribeTopic(v.dynamic(), own, v.replicationFactor(r.Name))
	case r.Type == meta.GroupResource:
		return v.d.Conf.DescribeGroup(own)
	case r == clusterDefault:
		return v.d.Conf.DescribeCluster(conf.Dynamic{Cluster: own})
	}
	return v.d.Conf.DescribeBroker(conf.Dynamic{PerBroker: own, Cluster: v.im.Config(clusterDefault)})
}

// replicationFactor is that of a topic's first partition: some defaults follow it.
func (v view) replicationFactor(topic string) int {
	if t, ok := v.im.TopicNamed(topic); ok {
		first, _ := t.Partition(0)
		return len(first.Replicas)
	}
	return 1
}
