package api

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What IncrementalAlterConfigs does with one setting.
const (
	opSet kmsg.IncrementalAlterConfigOp = iota
	opDelete
	opAppend
	opSubtract
)

const (
	minISRSetting = "min.insync.replicas"
	// configTimeout is what altering settings waits for: its requests have no
	// field for it.
	configTimeout = 30 * time.Second
)

// change is one setting to alter.
type change struct {
	name  string
	op    kmsg.IncrementalAlterConfigOp
	value *string
}

// alteration is one resource of a request on its way.
type alteration struct {
	resource meta.Resource
	changes  []change
	replace  bool // every other setting goes (AlterConfigs)

	err error
	cmd meta.AlterConfig
	at  int
}

// alter answers AlterConfigs: what it names replaces all there was.
func (a *configsAPI) alter(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrAlterConfigsRequest()
	if !read(c, req) {
		return malformed()
	}
	list := make([]alteration, len(req.Resources))
	for i, r := range req.Resources {
		list[i] = alteration{resource: resource(r.ResourceType, r.ResourceName), replace: true}
		for _, s := range r.Configs {
			list[i].changes = append(list[i].changes, change{s.Name, opSet, s.Value})
		}
	}
	return a.propose(c, list, req.ValidateOnly, func(verdict verdict) kmsg.Response {
		resp := kmsg.NewPtrAlterConfigsResponse()
		for i, r := range req.Resources {
			o := kmsg.AlterConfigsResponseResource{ResourceType: r.ResourceType, ResourceName: r.ResourceName}
			o.ErrorCode, o.ErrorMessage = codeText(list[i].outcome(verdict))
			resp.Resources = append(resp.Resources, o)
		}
		return resp
	})
}

// incremental answers IncrementalAlterConfigs: what it does not name stays.
func (a *configsAPI) incremental(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	if !read(c, req) {
		return malformed()
	}
	list := make([]alteration, len(req.Resources))
	for i, r := range req.Resources {
		list[i] = alteration{resource: resource(r.ResourceType, r.ResourceName)}
		for _, s := range r.Configs {
			list[i].changes = append(list[i].changes, change{s.Name, s.Op, s.Value})
		}
	}
	return a.propose(c, list, req.ValidateOnly, func(verdict verdict) kmsg.Response {
		resp := kmsg.NewPtrIncrementalAlterConfigsResponse()
		for i, r := range req.Resources {
			o := kmsg.IncrementalAlterConfigsResponseResource{ResourceType: r.ResourceType, ResourceName: r.ResourceName}
			o.ErrorCode, o.ErrorMessage = codeText(list[i].outcome(verdict))
			resp.Resources = append(resp.Resources, o)
		}
		return resp
	})
}

func (l *alteration) outcome(verdict verdict) error {
	if l.err != nil {
		return l.err
	}
	return verdict.of(l.at)
}

// propose decides each alteration and submits what holds.
func (a *configsAPI) propose(c *wire.Call, list []alteration, validateOnly bool, build func(verdict) kmsg.Response) wire.Outcome {
	v := look(a.d, c)
	count := make(map[meta.Resource]int, len(list))
	for i := range list {
		count[list[i].resource]++
	}
	var cmds []meta.Command
	for i := range list {
		l := &list[i]
		if count[l.resource] > 1 {
			l.err = faultf(kerr.InvalidRequest, "Duplicate resource.")
			continue
		}
		if l.err = v.planAlteration(l); l.err == nil && !validateOnly {
			l.at = len(cmds)
			cmds = append(cmds, l.cmd)
		}
	}
	return propose(a.d, c, cmds, configTimeout, build)
}

// planAlteration turns wishes into the settings to write, and checks both each
// and all of them together.
func (v view) planAlteration(l *alteration) error {
	if err := v.mayConfig(auth.AlterConfigs, l.resource); err != nil {
		return err
	}
	if err := checkChanges(l.changes); err != nil {
		return err
	}
	if l.resource == (meta.Resource{Type: meta.TopicResource}) {
		return faultf(kerr.InvalidRequest, "Default topic resources are not allowed: name the topic.")
	}
	if err := v.checkResource(l.resource); err != nil {
		return err
	}
	if l.resource.Type == meta.TopicResource {
		if err := mayAlterTopic(l.resource.Name); err != nil {
			return err
		}
	}
	l.cmd = meta.AlterConfig{Resource: l.resource, Replace: l.replace, Set: make(map[string]*string, len(l.changes))}
	after := map[string]string{}
	if !l.replace {
		after = maps.Clone(v.im.Config(l.resource))
	}
	for _, ch := range l.changes {
		value, err := v.newValue(l.resource, ch)
		if err != nil {
			return err
		}
		l.cmd.Set[ch.name] = value
		if value == nil {
			delete(after, ch.name)
		} else {
			if after == nil {
				after = map[string]string{}
			}
			after[ch.name] = *value
		}
	}
	return v.follow(l, after)
}

// checkChanges refuses wishes that contradict one another or say nothing.
func checkChanges(changes []change) error {
	seen := make(map[string]bool, len(changes))
	for _, ch := range changes {
		switch {
		case seen[ch.name]:
			return faultf(kerr.InvalidRequest, "Error due to duplicate config keys")
		case ch.op < opSet || ch.op > opSubtract:
			return faultf(kerr.InvalidRequest, "Unknown operation type %d: 0 sets, 1 deletes, 2 appends, 3 subtracts.", ch.op)
		case ch.value == nil && ch.op != opDelete:
			return faultf(kerr.InvalidRequest, "Null value not supported for : %s", printable(ch.name))
		}
		seen[ch.name] = true
	}
	return nil
}

// newValue is what a setting will be; nil: not set any more.
func (v view) newValue(r meta.Resource, ch change) (*string, error) {
	if ch.op == opDelete {
		return nil, nil // what is not set, or not known here, may go too
	}
	value := *ch.value
	if ch.op != opSet {
		if !conf.IsList(ch.name) {
			return nil, faultf(kerr.InvalidConfig, "Can't %s to key %s because its type is not LIST.",
				map[bool]string{true: "APPEND", false: "SUBTRACT"}[ch.op == opAppend], printable(ch.name))
		}
		value = v.edited(r, ch)
	}
	if err := checkSetting(r, ch.name, value); err != nil {
		return nil, &fault{badSetting(r), err.Error()}
	}
	return &value, nil
}

// badSetting is Kafka's code for a setting that its resource does not take.
func badSetting(r meta.Resource) *kerr.Error {
	if r.Type == meta.BrokerResource {
		return kerr.InvalidRequest
	}
	return kerr.InvalidConfig
}

func checkSetting(r meta.Resource, name, value string) error {
	switch r.Type {
	case meta.TopicResource:
		return conf.CheckTopic(name, value)
	case meta.GroupResource:
		return conf.CheckGroup(name, value)
	}
	return conf.CheckBrokerDynamic(name, value, r.Name == "")
}

// edited is a list with elements added or taken out. It starts from the value
// that is in effect, so that what is appended to a default extends it.
func (v view) edited(r meta.Resource, ch change) string {
	var items []string
	for _, s := range v.settings(r, v.im.Config(r)) {
		if s.Name == ch.name && !s.IsNull {
			items = splitList(s.Value)
		}
	}
	for _, item := range splitList(*ch.value) {
		at := slices.Index(items, item)
		switch {
		case ch.op == opAppend && at < 0:
			items = append(items, item)
		case ch.op == opSubtract && at >= 0:
			items = slices.Delete(items, at, at+1)
		}
	}
	return strings.Join(items, ",")
}

func splitList(s string) (items []string) {
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// asBadSetting gives a refusal of settings together the code of its resource.
func asBadSetting(r meta.Resource, err error) error {
	if err == nil {
		return nil
	}
	return &fault{badSetting(r), err.Error()}
}

// checkBroker checks dynamic settings of brokers together.
func (v view) checkBroker(d conf.Dynamic) (minISR int8, err error) {
	if err := v.d.Conf.CheckLimits(d); err != nil {
		return 0, err
	}
	return v.checkSettings(nil, d)
}

// follow checks the settings that come out, and what follows from them for
// partitions: they carry the effective min.insync.replicas.
func (v view) follow(l *alteration, after map[string]string) (err error) {
	var minISR int8
	switch {
	case l.resource.Type == meta.TopicResource:
		minISR, err = v.checkSettings(after, conf.Dynamic{Cluster: v.im.Config(clusterDefault)})
	case l.resource.Type == meta.GroupResource:
		return asBadSetting(l.resource, v.d.Conf.CheckGroupSet(after))
	case l.resource == clusterDefault:
		minISR, err = v.checkBroker(conf.Dynamic{Cluster: after})
	default:
		_, err = v.checkBroker(conf.Dynamic{PerBroker: after, Cluster: v.im.Config(clusterDefault)})
		return asBadSetting(l.resource, err)
	}
	if err != nil {
		return asBadSetting(l.resource, err)
	}
	if _, named := l.cmd.Set[minISRSetting]; !named && !l.replace {
		return nil // as it was
	}
	if l.cmd.MinISR = minISR; minISR == 0 {
		l.cmd.MinISR = meta.MinISRByRule
	}
	return nil
}
