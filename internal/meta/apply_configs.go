package meta

import (
	"maps"
	"strings"
)

// The settings that the image itself acts on.
const (
	minISRKey     = "min.insync.replicas"
	uncleanKey    = "unclean.leader.election.enable"
	durabilityKey = "durability"
)

func (c AlterConfig) apply(e *Editor) Result {
	switch c.Resource.Type {
	case TopicResource:
		if _, ok := e.names.get(c.Resource.Name); !ok {
			return failf(ErrUnknownTopic, "%q", c.Resource.Name)
		}
	case BrokerResource, BrokerLoggerResource, ClientMetricsResource, GroupResource:
	default:
		return failf(ErrInvalidConfig, "resource type %d has no settings", c.Resource.Type)
	}
	next := map[string]string{}
	if !c.Replace {
		maps.Copy(next, e.config(c.Resource))
	}
	for _, k := range sorted(c.Set, strings.Compare) {
		if v := c.Set[k]; v != nil {
			next[k] = *v
		} else {
			delete(next, k)
		}
	}
	e.putConfig(c.Resource, next)
	e.followConfig(c)
	return Result{}
}

// followConfig does to partitions what their settings now ask for, in the same
// entry (E5, E3).
func (e *Editor) followConfig(c AlterConfig) {
	switch {
	case c.Resource.Type == TopicResource:
		id, _ := e.names.get(c.Resource.Name)
		t, _ := e.topic(id)
		e.setMinISR(t, c.MinISR)
		if t, _ = e.topic(id); e.rescues(t) {
			e.electLeaderless(t)
		}
	case c.Resource == Resource{BrokerResource, ""} && (c.MinISR != 0 || c.Set[uncleanKey] != nil):
		for name := range e.byName.from("") {
			id, _ := e.names.get(name)
			t, _ := e.topic(id)
			if e.config(Resource{TopicResource, name})[minISRKey] == "" {
				e.setMinISR(t, c.MinISR)
			}
			if t, _ = e.topic(id); e.rescues(t) {
				e.electLeaderless(t)
			}
		}
	}
}

func (e *Editor) setMinISR(t *Topic, setting int8) {
	if setting = max(setting, MinISRByRule); setting == 0 {
		return
	}
	setting = max(setting, 0)
	if setting == t.minISR {
		return
	}
	next := *t
	next.minISR = setting
	e.replaceTopic(&next)
	for i := range next.n {
		p := next.at(i)
		ch := e.changeOf(&next, *p)
		// While a reassignment runs the smaller of the two sizes governs, or a
		// topic that grows would freeze.
		ch.minISR = effectiveMinISR(setting, (p.set.all() &^ p.set.adding).count())
		e.alter(&next, i, &ch)
	}
}

// rescues says whether a topic opts in to unclean elections, by its own setting
// or else by the one that an operator gave to all topics.
func (e *Editor) rescues(t *Topic) bool {
	own, ok := e.config(Resource{TopicResource, t.Name})[uncleanKey]
	if !ok {
		own = e.config(Resource{BrokerResource, ""})[uncleanKey]
	}
	return own == "true"
}

// fsynced says whether what a topic acknowledged was synced first.
func (e *Editor) fsynced(t *Topic, defaultISR bool) bool {
	v := e.config(Resource{TopicResource, t.Name})[durabilityKey]
	if v == "" {
		v = e.config(Resource{BrokerResource, ""})[durabilityKey]
	}
	return v == "fsync" || v == "" && !defaultISR
}

func (e *Editor) electLeaderless(t *Topic) {
	for i := range t.n {
		if p := t.at(i); p.leaderPos() < 0 {
			ch := e.changeOf(t, *p)
			ch.rescue = true
			e.alter(t, i, &ch)
		}
	}
}
