package conf

// groupTable is every key that a consumer group may have of its own.
var groupTable = []Key{
	{Name: "consumer.assignment.interval.ms", Type: Int, Default: "1000", check: atLeast(0), Status: Accepted,
		From: []Link{{Name: "group.consumer.assignment.interval.ms"}},
		Doc:  "Shortest time between two assignments of the group; here it is assigned at once."},
	{Name: "consumer.heartbeat.interval.ms", Type: Int, Default: "5000", check: atLeast(1),
		From: []Link{{Name: "group.consumer.heartbeat.interval.ms"}},
		Doc:  "Heartbeat interval that members of the new protocol are told."},
	{Name: "consumer.session.timeout.ms", Type: Int, Default: "45000", check: atLeast(1),
		From: []Link{{Name: "group.consumer.session.timeout.ms"}},
		Doc:  "Silence after which a member of the new protocol is removed."},
}
