package conf

import (
	"slices"
	"strings"
)

// Source is where an effective value came from; the numbers are Kafka's
// (DescribeConfigs config_source).
type Source int8

const (
	DynamicTopic         Source = 1
	DynamicBroker        Source = 2
	DynamicDefaultBroker Source = 3
	StaticBroker         Source = 4
	Default              Source = 5
	DynamicBrokerLogger  Source = 6
	DynamicGroup         Source = 8
)

// Described is one setting as DescribeConfigs shows it.
type Described struct {
	Name          string
	Value         string
	IsNull        bool // also for sensitive values
	Source        Source
	ReadOnly      bool
	Sensitive     bool
	Type          int8 // Kafka's: 1 BOOLEAN 2 STRING 3 INT 4 SHORT 5 LONG 6 DOUBLE 7 LIST 8 CLASS 9 PASSWORD
	Documentation string
	Synonyms      []Synonym
}

// Synonym is one place a value could have come from, highest first.
type Synonym struct {
	Name, Value string
	IsNull      bool
	Source      Source
}

// DescribeTopic lists every topic setting with value and origin, in name order.
// The replication factor decides what min.insync.replicas is by default.
func (b *Broker) DescribeTopic(d Dynamic, overrides map[string]string, replicationFactor int) []Described {
	var out []Described
	for _, k := range TopicKeys() {
		if _, set := overrides[k.Name]; k.Hidden && !set {
			continue
		}
		out = append(out, b.describeTopicKey(k, d, overrides, replicationFactor))
	}
	return out
}

func (b *Broker) describeTopicKey(k *Key, d Dynamic, overrides map[string]string, replicationFactor int) Described {
	v, set, err := b.topicValue(k, d, overrides)
	if err != nil {
		v = k.standard()
	}
	if k.Name == "min.insync.replicas" && !set {
		v.num = int64(MinInsyncDefault(replicationFactor))
	}
	out := k.described(v, k.Null && !set)
	all := b.synonyms(b.search(d, k.From), k.From)
	if len(k.From) > 0 {
		all = dropUntil(all, k.From[0].Name)
	}
	if raw, ok := overrides[k.Name]; ok {
		all = slices.Insert(all, 0, Synonym{Name: k.Name, Value: trim(raw), Source: DynamicTopic})
	}
	out.setSynonyms(all)
	return out
}

// described is the parts of an answer that follow from the key and the value.
func (k *Key) described(v value, null bool) Described {
	d := Described{Name: k.Name, Source: Default, Sensitive: k.Sensitive(), Type: int8(k.Type), Documentation: k.Doc,
		IsNull: null || k.Sensitive()}
	if !d.IsNull {
		d.Value = v.print()
	}
	return d
}

func (d *Described) setSynonyms(all []Synonym) {
	d.Synonyms = all
	if len(all) > 0 {
		d.Source = all[0].Source
	}
}

// synonyms shows what was found, and behind it the defaults of the keys.
func (b *Broker) synonyms(all []found, links []Link) []Synonym {
	var out []Synonym
	for _, f := range all {
		k, ok := brokerKeyOf(f.link.Name)
		hide := f.secret || !ok || k.Sensitive()
		s := Synonym{Name: f.link.Name, Value: f.value, IsNull: hide, Source: f.source}
		if hide {
			s.Value = ""
		}
		out = append(out, s)
	}
	for _, link := range links {
		if k, ok := BrokerKey(link.Name); ok && !k.Null {
			out = append(out, Synonym{Name: link.Name, Value: k.Default, Source: Default})
		}
	}
	return out
}

// dropUntil drops the synonyms before the first of the given name, as Kafka
// does: of several names for one thing only the first one counts as its origin.
func dropUntil(all []Synonym, name string) []Synonym {
	i := slices.IndexFunc(all, func(s Synonym) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return all[i:]
}

// timeUnits are families of broker keys that mean one thing in different units.
var timeUnits = [][]string{
	{"log.roll.ms", "log.roll.hours"},
	{"log.roll.jitter.ms", "log.roll.jitter.hours"},
	{"log.retention.ms", "log.retention.minutes", "log.retention.hours"},
	{"log.flush.interval.ms", "log.flush.scheduler.interval.ms"},
}

// brokerLinks are the names under which a broker key's value may be given.
func brokerLinks(name string) []Link {
	names := []string{name}
	for _, family := range timeUnits {
		if slices.Contains(family, name) && name != "log.flush.scheduler.interval.ms" {
			names = family
		}
	}
	if k, ok := brokerKeyOf(name); ok && k.Name != name {
		names = append(names, k.Name) // behind listener.name.NAME.
	}
	links := make([]Link, len(names))
	for i, n := range names {
		links[i].Name = n
	}
	return links
}

// DescribeBroker lists every broker setting, in name order: the table without
// what is internal or removed, and whatever else was set.
func (b *Broker) DescribeBroker(d Dynamic) []Described {
	names := map[string]bool{}
	for _, k := range BrokerKeys() {
		if !k.Hidden && !k.Legacy {
			names[k.Name] = true
		}
	}
	for key := range b.values {
		names[key] = true
	}
	for _, layer := range []map[string]string{d.PerBroker, d.Cluster} {
		for key := range layer {
			names[key] = true
		}
	}
	var out []Described
	for _, name := range sortedNames(names) {
		out = append(out, b.describeBrokerKey(name, d))
	}
	return out
}

// DescribeCluster lists the dynamic settings that hold for all brokers.
func (b *Broker) DescribeCluster(d Dynamic) []Described {
	var out []Described
	for _, name := range sortedNames(d.Cluster) {
		entry := b.describeBrokerKey(name, Dynamic{Cluster: d.Cluster})
		entry.Synonyms = slices.DeleteFunc(entry.Synonyms, func(s Synonym) bool { return s.Source != DynamicDefaultBroker })
		out = append(out, entry)
	}
	return out
}

func (b *Broker) describeBrokerKey(name string, d Dynamic) Described {
	k, known := brokerKeyOf(name)
	if !known {
		return Described{Name: name, IsNull: true, Sensitive: true, Source: b.sourceOf(name, d), ReadOnly: true}
	}
	links := brokerLinks(name)
	all := b.search(d, links)
	v, null := k.standard(), k.Null
	if i := slices.IndexFunc(all, func(f found) bool { return f.link.Name == name }); i >= 0 {
		if got, err := k.parse(all[i].value); err == nil {
			v, null = got, false
		}
	} else if text, ok := b.derived[name]; ok && text != "" {
		if got, err := k.parse(text); err == nil {
			v, null = got, false
		}
	}
	out := k.described(v, null)
	out.Name = name
	out.ReadOnly = k.Scope == ReadOnly
	if b.values[name].secret {
		out.Value, out.IsNull, out.Sensitive = "", true, true
	}
	out.setSynonyms(dropUntil(b.synonyms(all, links), name))
	return out
}

func (b *Broker) sourceOf(name string, d Dynamic) Source {
	for _, layer := range b.layers(d) {
		if _, ok := layer.get(name); ok {
			return layer.source
		}
	}
	return Default
}

// Explanation is everything there is to say about one key.
type Explanation struct {
	Name, Type, Default, Kafka, Range, Scope, Status, Doc string
	Topic, Sensitive, Own, Legacy, NoDefault              bool
	From                                                  []string // broker keys that set a topic key's default, highest first
	For                                                   []string // topic keys that a broker key sets the default of
}

// Explain tells what a key means. Some names belong to a broker key and a topic
// key; both are answered then, the topic's first, then that of a group. An unknown name answers none,
// and the nearest known one when there is such.
func Explain(name string) (all []Explanation, nearest string) {
	if k, ok := TopicKey(name); ok {
		all = append(all, k.explain())
	}
	if k, ok := GroupKey(name); ok {
		all = append(all, k.explain())
		all[len(all)-1].Scope = "group"
	}
	if k, ok := brokerKeyOf(name); ok {
		all = append(all, k.explain())
	}
	if len(all) > 0 {
		return all, ""
	}
	return nil, suggest(strings.ToLower(trim(name)), append(TopicKeys(), BrokerKeys()...))
}

func (k *Key) explain() Explanation {
	e := Explanation{Name: k.Name, Type: strings.ToLower(k.Type.String()), Default: k.Default, Kafka: k.Kafka, Range: k.Range(),
		Scope: k.Scope.String(), Status: k.Status.String(), Doc: k.Doc, Topic: k.Topic, Sensitive: k.Sensitive(), Own: k.Own,
		Legacy: k.Legacy, NoDefault: k.Null}
	if k.Topic {
		e.Scope = "topic"
		for _, link := range k.From {
			e.From = append(e.From, link.Name)
		}
		return e
	}
	for _, t := range TopicKeys() {
		if slices.ContainsFunc(t.From, func(l Link) bool { return l.Name == k.Name }) {
			e.For = append(e.For, t.Name)
		}
	}
	return e
}
