package group

// Survey asks for what every group of this machine has come to, and is answered
// with []Standing, by group id. It belongs to no scope.
type Survey struct{}

// Standing is one group's state, members and committed offsets.
type Standing struct {
	Group    string
	Protocol string // classic or consumer
	State    string // as ListGroups has it
	Members  int
	Offsets  []Committed // by topic and partition
}

// Committed is one committed offset of a topic that there is.
type Committed struct {
	Topic     string
	Partition int32
	Offset    int64
}

func (t *turn) survey() {
	all := []Standing{}
	for _, id := range sorted(t.groups) {
		g := t.groups[id]
		s := Standing{Group: id, Protocol: "classic", State: g.classic.state.String(), Members: len(g.classic.members)}
		if g.consumer != nil {
			s.Protocol, s.State, s.Members = "consumer", g.consumer.stateName(), len(g.consumer.ids())
		}
		for _, p := range sortedPartitions(g.offsets) {
			if o := g.offsets[p]; !t.orphan(p, o) {
				s.Offsets = append(s.Offsets, Committed{p.topic, p.index, o.at})
			}
		}
		all = append(all, s)
	}
	t.answer("", all)
}
