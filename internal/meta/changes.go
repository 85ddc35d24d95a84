package meta

import (
	"maps"
	"strings"

	"github.com/brokerd/brokerd/internal/step"
)

// Changes says what differs between two images. Each list is without
// duplicates and in no order that means anything.
type Changes struct {
	Topics  []step.TopicID // created, deleted, or with changed partitions
	Configs []Resource
	Brokers []int32
	// Features is set when the cluster id, the feature level or the voters moved.
	Features bool
	// Unclean is the partitions that were given a leader whose log may lack
	// committed data (E3, or the only replica after an unclean stop): to audit.
	Unclean []step.PartitionID
}

// Empty reports whether nothing differs.
func (c *Changes) Empty() bool {
	return len(c.Topics)+len(c.Configs)+len(c.Brokers)+len(c.Unclean) == 0 && !c.Features
}

// ChangeSet is the union of changes that a slow reader has not seen yet. It is
// bounded by the number of things, not of changes. The zero value is empty.
type ChangeSet struct {
	topics   map[step.TopicID]struct{}
	configs  map[Resource]struct{}
	brokers  map[int32]struct{}
	unclean  map[step.PartitionID]struct{}
	features bool
}

// Add unites c with the set.
func (s *ChangeSet) Add(c *Changes) {
	addAll(&s.topics, c.Topics)
	addAll(&s.configs, c.Configs)
	addAll(&s.brokers, c.Brokers)
	addAll(&s.unclean, c.Unclean)
	s.features = s.features || c.Features
}

// Take gives the union in a fixed order and empties the set.
func (s *ChangeSet) Take() Changes {
	c := Changes{
		Topics:   takeAll(s.topics, compareIDs),
		Configs:  takeAll(s.configs, func(a, b Resource) int { return strings.Compare(a.key(), b.key()) }),
		Brokers:  takeAll(s.brokers, func(a, b int32) int { return int(a) - int(b) }),
		Unclean:  takeAll(s.unclean, comparePartitions),
		Features: s.features,
	}
	*s = ChangeSet{}
	return c
}

func addAll[K comparable](set *map[K]struct{}, keys []K) {
	if *set == nil && len(keys) > 0 {
		*set = make(map[K]struct{}, len(keys))
	}
	for _, k := range keys {
		(*set)[k] = struct{}{}
	}
}

func takeAll[K comparable](set map[K]struct{}, less func(a, b K) int) []K {
	if len(set) == 0 {
		return nil
	}
	return sorted(set, less)
}

func comparePartitions(a, b step.PartitionID) int {
	if c := compareIDs(a.Topic, b.Topic); c != 0 {
		return c
	}
	return int(a.Index) - int(b.Index)
}

// Diff says what one must look at to go from old to next: for a reader that was
// handed a whole image (a snapshot) instead of changes. Every topic, setting and
// broker of either image is in it.
func Diff(old, next *Image) Changes {
	var s ChangeSet
	for _, im := range []*Image{old, next} {
		c := Changes{Features: true}
		c.Topics = append(c.Topics, im.topics.keys(compareIDs)...)
		c.Topics = append(c.Topics, im.deleted.keys(compareIDs)...)
		for _, key := range im.configs.keys(strings.Compare) {
			c.Configs = append(c.Configs, resourceOf(key))
		}
		for _, b := range im.brokers {
			c.Brokers = append(c.Brokers, b.ID)
		}
		s.Add(&c)
	}
	return s.Take()
}

func equalConfig(a, b map[string]string) bool { return maps.Equal(a, b) }
