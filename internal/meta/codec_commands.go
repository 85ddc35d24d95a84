package meta

import "strings"

// The bodies of the commands. encode and decode of a kind stand together: they
// are one format. Where there are versions of it, encode writes the one it is
// told, decode reads each of them. Version 2 of RegisterBroker and AssignDir has the
// bytes of version 1, and does more.

func (c CreateTopic) encode(b []byte, _ uint8) []byte {
	b = append(b, c.ID[:]...)
	b = putBool(putString(b, c.Name), c.Internal)
	b = putStrings(putAssignments(b, c.Assignments), c.Config)
	return append(b, byte(c.MinISR))
}

func decodeCreateTopic(_ uint8, d *decoder) Command {
	return CreateTopic{
		ID: d.id(), Name: d.string(), Internal: d.bool(),
		Assignments: d.assignments(), Config: d.strings(), MinISR: d.i8(),
	}
}

func (c DeleteTopic) encode(b []byte, _ uint8) []byte { return append(b, c.ID[:]...) }

func decodeDeleteTopic(_ uint8, d *decoder) Command { return DeleteTopic{ID: d.id()} }

func (c PurgeTopic) encode(b []byte, _ uint8) []byte { return append(b, c.ID[:]...) }

func decodePurgeTopic(_ uint8, d *decoder) Command { return PurgeTopic{ID: d.id()} }

func (c CreatePartitions) encode(b []byte, _ uint8) []byte {
	b = putInt(append(b, c.ID[:]...), int64(c.Before))
	return putAssignments(b, c.Assignments)
}

func decodeCreatePartitions(_ uint8, d *decoder) Command {
	return CreatePartitions{ID: d.id(), Before: d.i32(), Assignments: d.assignments()}
}

func (c AlterConfig) encode(b []byte, _ uint8) []byte {
	b = putString(append(b, byte(c.Resource.Type)), c.Resource.Name)
	b = putUint(b, uint64(len(c.Set)))
	for _, k := range sorted(c.Set, strings.Compare) {
		b = putString(b, k)
		v := c.Set[k]
		b = putBool(b, v != nil)
		if v != nil {
			b = putString(b, *v)
		}
	}
	return append(putBool(b, c.Replace), byte(c.MinISR))
}

func decodeAlterConfig(_ uint8, d *decoder) Command {
	c := AlterConfig{Resource: Resource{ResourceType(d.i8()), d.string()}}
	last := ""
	for i := range d.count(2) {
		k := d.string()
		if i > 0 && k <= last {
			d.fail()
		}
		if c.Set == nil {
			c.Set = make(map[string]*string)
		}
		c.Set[k], last = nil, k
		if d.bool() {
			v := d.string()
			c.Set[k] = &v
		}
	}
	c.Replace, c.MinISR = d.bool(), d.i8()
	return c
}

func (c AllocateProducerIDs) encode(b []byte, _ uint8) []byte {
	return putInt(putInt(putInt(b, int64(c.Broker)), c.BrokerEpoch), int64(c.Count))
}

func decodeAllocateProducerIDs(_ uint8, d *decoder) Command {
	return AllocateProducerIDs{Broker: d.i32(), BrokerEpoch: d.i64(), Count: d.i32()}
}

func (c Bootstrap) encode(b []byte, _ uint8) []byte {
	return putInt(putString(b, c.ClusterID), int64(c.Level))
}

func decodeBootstrap(_ uint8, d *decoder) Command {
	return Bootstrap{ClusterID: d.string(), Level: d.i16()}
}

func (c SetFeatureLevel) encode(b []byte, _ uint8) []byte { return putInt(b, int64(c.Level)) }

func decodeSetFeatureLevel(_ uint8, d *decoder) Command { return SetFeatureLevel{Level: d.i16()} }

func (c RegisterBroker) encode(b []byte, _ uint8) []byte {
	b = putString(putInt(b, int64(c.ID)), c.ClusterID)
	b = putString(append(b, c.Incarnation[:]...), c.Rack)
	b = putBool(putIDs(putEndpoints(b, c.Endpoints), c.Dirs), c.Voter)
	b = putString(putInt(putInt(b, c.Seen), c.CleanEpoch), c.BootID)
	return putBool(putBool(putBool(b, c.DiskError), c.Intact), c.DefaultISR)
}

func decodeRegisterBroker(version uint8, d *decoder) Command {
	return RegisterBroker{
		ID: d.i32(), ClusterID: d.string(), Incarnation: d.id(), Rack: d.string(),
		Endpoints: d.endpoints(), Dirs: d.ids(), Voter: d.bool(),
		Seen: d.i64(), CleanEpoch: d.i64(), BootID: d.string(),
		DiskError: d.bool(), Intact: d.bool(), DefaultISR: d.bool(), first: version == 1,
	}
}

func (c UnregisterBroker) encode(b []byte, _ uint8) []byte {
	return putInt(putInt(b, int64(c.ID)), c.Epoch)
}

func decodeUnregisterBroker(_ uint8, d *decoder) Command {
	return UnregisterBroker{ID: d.i32(), Epoch: d.i64()}
}

func (c SetBrokerState) encode(b []byte, _ uint8) []byte {
	return append(putInt(putInt(b, int64(c.ID)), c.Epoch), byte(c.State))
}

func decodeSetBrokerState(_ uint8, d *decoder) Command {
	return SetBrokerState{ID: d.i32(), Epoch: d.i64(), State: BrokerState(d.i8())}
}

func (c AlterPartition) encode(b []byte, _ uint8) []byte {
	b = putInt(putInt(b, int64(c.Broker)), c.BrokerEpoch)
	b = putInt(append(b, c.Topic[:]...), int64(c.Partition))
	b = putInt(putInt(b, int64(c.LeaderEpoch)), int64(c.PartitionEpoch))
	b = putUint(b, uint64(len(c.ISR)))
	for _, m := range c.ISR {
		b = putInt(putInt(b, int64(m.ID)), m.Epoch)
	}
	return putBool(b, c.Recovered)
}

func decodeAlterPartition(_ uint8, d *decoder) Command {
	c := AlterPartition{
		Broker: d.i32(), BrokerEpoch: d.i64(), Topic: d.id(), Partition: d.i32(),
		LeaderEpoch: d.i32(), PartitionEpoch: d.i32(),
	}
	for range d.count(2) {
		c.ISR = append(c.ISR, ISRMember{ID: d.i32(), Epoch: d.i64()})
	}
	c.Recovered = d.bool()
	return c
}

func (c ElectLeader) encode(b []byte, _ uint8) []byte {
	return putBool(putInt(append(b, c.Topic[:]...), int64(c.Partition)), c.Unclean)
}

func decodeElectLeader(_ uint8, d *decoder) Command {
	return ElectLeader{Topic: d.id(), Partition: d.i32(), Unclean: d.bool()}
}

func (c Reassign) encode(b []byte, _ uint8) []byte {
	return putInt32s(putInt(append(b, c.Topic[:]...), int64(c.Partition)), c.Target)
}

func decodeReassign(_ uint8, d *decoder) Command {
	return Reassign{Topic: d.id(), Partition: d.i32(), Target: d.int32s()}
}

func (c ReportFault) encode(b []byte, _ uint8) []byte {
	b = putBool(putInt(putInt(b, int64(c.Broker)), c.BrokerEpoch), c.Corrupt)
	return putPartitions(b, c.Partitions)
}

func decodeReportFault(_ uint8, d *decoder) Command {
	return ReportFault{Broker: d.i32(), BrokerEpoch: d.i64(), Corrupt: d.bool(), Partitions: d.partitions()}
}

func (c AssignDir) encode(b []byte, _ uint8) []byte {
	b = append(putInt(putInt(b, int64(c.Broker)), c.BrokerEpoch), c.Dir[:]...)
	return putPartitions(b, c.Partitions)
}

func decodeAssignDir(version uint8, d *decoder) Command {
	return AssignDir{Broker: d.i32(), BrokerEpoch: d.i64(), Dir: d.id(), Partitions: d.partitions(), first: version == 1}
}

func (c NoteVoters) encode(b []byte, _ uint8) []byte {
	return putVoters(b, c.Voters)
}

func decodeNoteVoters(_ uint8, d *decoder) Command { return NoteVoters{Voters: d.voters()} }

func (c NoteRecovery) encode(b []byte, _ uint8) []byte { return putRecovery(b, Recovery(c)) }

func decodeNoteRecovery(_ uint8, d *decoder) Command { return NoteRecovery(d.recovery()) }

func (c NoteFull) encode(b []byte, _ uint8) []byte {
	return putIDs(putInt(putInt(b, int64(c.Broker)), c.BrokerEpoch), c.Dirs)
}

func decodeNoteFull(_ uint8, d *decoder) Command {
	return NoteFull{Broker: d.i32(), BrokerEpoch: d.i64(), Dirs: d.ids()}
}

func putRecovery(b []byte, r Recovery) []byte {
	b = putInt(putInt(append(b, r.ID[:]...), r.TimeMs), int64(r.Node))
	b = putUint(append(b, r.Directory[:]...), r.Kept)
	return putVoters(b, r.Lost)
}

func (d *decoder) recovery() Recovery {
	return Recovery{ID: d.id(), TimeMs: d.i64(), Node: d.i32(), Directory: d.id(), Kept: d.uvarint(), Lost: d.voters()}
}

func putVoters(b []byte, voters []Voter) []byte {
	b = putUint(b, uint64(len(voters)))
	for _, v := range voters {
		b = append(putInt(b, int64(v.Node)), v.Directory[:]...)
		b = putEndpoints(b, v.Endpoints)
	}
	return b
}

func (d *decoder) voters() (out []Voter) {
	for range d.count(18) {
		out = append(out, Voter{Node: d.i32(), Directory: d.id(), Endpoints: d.endpoints()})
	}
	return out
}

func (m Malformed) encode(b []byte, _ uint8) []byte { return b }
