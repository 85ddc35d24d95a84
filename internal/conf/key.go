package conf

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Type is Kafka's type of a setting; the numbers travel in DescribeConfigs.
type Type int8

const (
	Boolean  Type = 1
	String   Type = 2
	Int      Type = 3
	Short    Type = 4
	Long     Type = 5
	Double   Type = 6
	List     Type = 7
	Class    Type = 8
	Password Type = 9
)

var typeNames = [...]string{"UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}

func (t Type) String() string {
	if t < 0 || int(t) >= len(typeNames) {
		return typeNames[0]
	}
	return typeNames[t]
}

// Scope says whether and for whom a broker key may change while brokers run.
type Scope int8

const (
	ReadOnly  Scope = iota // only from files, environment and flags
	PerBroker              // dynamic, for one broker at a time
	Cluster                // dynamic, for one broker or for all
)

func (s Scope) String() string {
	return [...]string{"read-only", "per-broker", "cluster-wide"}[s]
}

// Status says what this broker does with a key.
type Status int8

const (
	Applied  Status = iota // its value changes what we do
	Accepted               // known and checked; ignoring it harms nobody
	Refused                // ignoring it would be dangerous: a start with it fails
)

func (s Status) String() string {
	return [...]string{"applied", "accepted", "refused"}[s]
}

// Key is one line of the table.
type Key struct {
	Name    string
	Type    Type
	Default string // as Kafka prints it; nothing when Null
	Null    bool   // no default value
	Kafka   string // Kafka 4.4's default where ours differs
	Topic   bool
	Own     bool // a key of ours that Kafka does not have
	Legacy  bool // removed from Kafka 4; old files still carry it
	Hidden  bool // internal to Kafka: taken when set, never listed
	Scope   Scope
	Status  Status
	From    []Link // of a topic key: the broker keys that set its default, highest first
	Doc     string

	check  check
	refuse func(value string) string // of a Refused key: why this value cannot be ignored; "" when it can
}

// Link is a broker key that stands for a topic key, and what its unit is worth
// in the topic key's unit.
type Link struct {
	Name string
	Unit int64 // 0: the same value; else below zero means -1
}

// Sensitive keys are stored and used but never shown.
func (k *Key) Sensitive() bool { return k.Type == Password }

// Range is the values that are allowed, in Kafka's notation; "" when all are.
func (k *Key) Range() string { return k.check.text }

// Check says what is wrong with a value in Kafka's words, nil when nothing is.
func (k *Key) Check(value string) error {
	v, err := k.parse(value)
	if err != nil {
		return err
	}
	if k.check.fn == nil {
		return nil
	}
	return k.check.fn(k.Name, v)
}

// take checks a value that a client wants to set under name; the text is fit for it.
func (k *Key) take(name, value string) error {
	if err := k.Check(value); err != nil {
		return err
	}
	if k.refuse != nil {
		if why := k.refuse(value); why != "" {
			return fmt.Errorf("%s=%s is refused: %s", name, trim(value), why)
		}
	}
	return nil
}

// tables are the indexes of the one table, made at the first question.
var tables = sync.OnceValue(func() (t struct{ broker, topic, group map[string]*Key }) {
	t.broker, t.topic, t.group = index(brokerTable()), index(topicTable), index(groupTable)
	return t
})

func index(keys []Key) map[string]*Key {
	m := make(map[string]*Key, len(keys))
	for i := range keys {
		m[keys[i].Name] = &keys[i]
	}
	return m
}

func brokerTable() []Key {
	return slices.Concat(nodeKeys, netKeys, logKeys, replicaKeys, groupKeys, shareKeys, txnKeys,
		securityKeys, saslKeys, remoteKeys, opsKeys, ownKeys, throttleKeys, legacyKeys)
}

// BrokerKey finds a broker key by its exact name.
func BrokerKey(name string) (*Key, bool) {
	k, ok := tables().broker[name]
	return k, ok
}

// TopicKey finds a topic key by its exact name.
func TopicKey(name string) (*Key, bool) {
	k, ok := tables().topic[name]
	return k, ok
}

// BrokerKeys is every broker key in name order.
func BrokerKeys() []*Key { return sortedKeys(tables().broker) }

// TopicKeys is every topic key in name order.
func TopicKeys() []*Key { return sortedKeys(tables().topic) }

func sortedKeys(m map[string]*Key) []*Key {
	keys := make([]*Key, 0, len(m))
	for _, k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b *Key) int { return strings.Compare(a.Name, b.Name) })
	return keys
}

// IsList tells whether a setting is a list (IncrementalAlterConfigs APPEND, SUBTRACT).
func IsList(name string) bool {
	if k, ok := TopicKey(name); ok {
		return k.Type == List
	}
	if k, ok := GroupKey(name); ok {
		return k.Type == List
	}
	if k, ok := brokerKeyOf(name); ok {
		return k.Type == List
	}
	return false
}
