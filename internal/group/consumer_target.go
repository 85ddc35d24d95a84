package group

import (
	"encoding/binary"
	"hash/fnv"
	"slices"

	"github.com/brokerd/brokerd/internal/step"
)

// refresh looks whether a group's epoch has to go up: subscriptions have changed,
// or topics have since they were last looked at. may tells which topics a regular
// expression may name for who asks; nil: all.
func (t *turn) refresh(g *group, changed bool, may func(topic string) bool) {
	c := g.consumer
	if !changed && c.seen == t.topicsSeen {
		return
	}
	t.resolve(g, c.seen != t.topicsSeen, may)
	c.seen = t.topicsSeen
	if hash := t.hashTopics(c); changed || hash != c.hash {
		t.write(g, fact{key: keyConsumer, epoch: c.epoch + 1, hash: hash})
	}
}

// resolve finds the topics of regular expressions: of new ones, and of all when
// there are other topics than before.
func (t *turn) resolve(g *group, all bool, may func(topic string) bool) {
	c := g.consumer
	for _, regex := range sorted(t.forgetRegexes(g)) {
		old, ok := c.regexes[regex]
		if ok && !all {
			continue
		}
		re, err := pattern(regex)
		if err != nil {
			continue // written by another broker; it names nothing here
		}
		now := resolved{version: t.topicsSeen, ms: t.in.UnixMs}
		t.in.Cluster.Each(func(name string, _ step.TopicID, _ int32) {
			if re.MatchString(name) && (may == nil || may(name)) {
				now.topics = append(now.topics, name)
			}
		})
		slices.Sort(now.topics)
		if !ok || !slices.Equal(old.topics, now.topics) {
			t.write(g, fact{key: keyRegex, name: regex, regex: now})
		}
	}
}

// forgetRegexes drops regular expressions that nobody uses any more, and gives
// those that are used.
func (t *turn) forgetRegexes(g *group) map[string]bool {
	c, used := g.consumer, map[string]bool{}
	for _, id := range c.ids() {
		if regex := c.members[id].about.regex; regex != nil {
			used[*regex] = true
		}
	}
	for _, regex := range sorted(c.regexes) {
		if !used[regex] {
			t.write(g, fact{key: keyRegex, name: regex, gone: true})
		}
	}
	return used
}

// hashTopics sums up all that an assignment depends on besides members: 0 is for
// no topics.
func (t *turn) hashTopics(c *consumer) int64 {
	h := fnv.New64a()
	var n [4]byte
	found := false
	for _, name := range sorted(c.topicNames()) {
		id, partitions, ok := t.in.Cluster.Topic(name)
		if !ok {
			continue
		}
		found = true
		h.Write([]byte(name))
		h.Write(id[:])
		binary.BigEndian.PutUint32(n[:], uint32(partitions))
		h.Write(n[:])
	}
	if !found {
		return 0
	}
	return int64(h.Sum64() | 1)
}

// retarget assigns anew when the group's epoch is past that of the targets.
func (t *turn) retarget(g *group) {
	c := g.consumer
	if c.placed == c.epoch {
		return
	}
	sizes := map[step.TopicID]int32{}
	ids := map[string]step.TopicID{}
	for _, name := range sorted(c.topicNames()) {
		if id, n, ok := t.in.Cluster.Topic(name); ok {
			sizes[id], ids[name] = n, id
		}
	}
	var members []subscriber
	for _, id := range c.ids() {
		m := c.members[id]
		s := subscriber{id: id, instance: text(m.about.instance), rack: text(m.about.rack), owned: m.target}
		for _, name := range c.subscription(&m.about) {
			if topic, ok := ids[name]; ok {
				s.topics = append(s.topics, topic)
			}
		}
		slices.SortFunc(s.topics, compareTopics)
		members = append(members, s)
	}
	targets := assignors[t.assignor(c)](members, topicsToAssign{sizes, t.in.Cluster.Racks})
	for _, s := range members {
		if m := c.members[s.id]; !m.aimed || !targets[s.id].equal(m.target) {
			t.write(g, fact{key: keyMemberTarget, name: s.id, target: targets[s.id]})
		}
	}
	t.write(g, fact{key: keyTarget, epoch: c.epoch})
}

// assignor is the one that most members ask for; without any wish the first of
// the configured ones. Of several with as many votes the first by name.
func (t *turn) assignor(c *consumer) string {
	votes := map[string]int{}
	for _, id := range c.ids() {
		if a := c.members[id].about.assignor; a != nil && slices.Contains(t.cfg.Consumer.Assignors, *a) {
			votes[*a]++
		}
	}
	best := t.cfg.Consumer.Assignors[0]
	for _, name := range sorted(votes) {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}
