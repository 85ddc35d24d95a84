// Package broker puts the house together: it alone knows everyone.
//
//	New ─► locks, identity ─► listeners ─► settle ─► controller (raft) ─► storage ─► replica ─► registered ─► ready
//	            what is empty    accept other      │ alone: founds a cluster of one
//	            waits            nodes only        │ has raft state: goes on
//	                                               └ else asks the configured controllers (meet.go)
//	Close goes the other way round: no new requests, answers out, logs closed, the clean-stop marker last.
//
// The binary, the simulators and tests call the same New; file system, network
// and raft stores are parameters, and nothing branches on being tested.
//
// Invariants
//
//	I1  No file of a log directory is touched before its lock is held.
//	I2  A directory that holds foreign files is never formatted, and one that
//	    belongs to another cluster or node is never written to.
//	I3  The clean-stop marker is gone, durably, before the first append, and is
//	    written only after every log has been synced and closed.
//	I4  No client is served before the broker has applied its own registration;
//	    until then it tells other nodes who it is, and takes raft streams.
//	I5  A node without raft state founds a cluster only as the lowest of all
//	    configured controllers, when every one has answered, none has state and
//	    all are of one mind (decisions 4.3). Else it joins, without a vote.
//	I6  What a node tells of its disk (cluster and directory id) is on that disk.
//	I7  A node never begins without metadata beside data of its own: unless
//	    `storage format` was run, it refuses to start (lostdisk.go).
//
// Goroutines: the parts' Run methods (membership among them, which keeps this
// node in the raft group and says who is missing, and keepLimits), started in New and joined by
// Close, the HTTP server, and two per peer that is in use (wire.Peer). Locks:
// face.mu, peers.mu; they guard memory only.
//
// Tests: meet_test.go (tables and a model of first creation), format_test.go and
// marker_test.go on the memory file system; the rest
// is tested whole, over real sockets, in broker_test.go, lostdisk_test.go and
// under test/. cluster_test.go runs three brokers with real raft in a bubble, over
// the simulated network and disks that lose what was not synced; there
// coordinators_test.go lets groups of both kinds work while their coordinators
// fail (-broker.seeds), and crew_test.go says what must hold (G1–G4, O1, O4, O5).
package broker
