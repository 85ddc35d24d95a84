// Package broker puts the house together: it alone knows everyone.
//
//	New ─► locks, identity ─► controller (raft) ─► storage ─► replica ─► api ─► server ─► registered ─► ready
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
//	I4  Nothing is served before the broker has applied its own registration.
//
// Goroutines: the parts' Run methods, started in New and joined by Close, and
// the HTTP server. Locks: none of its own.
//
// Tests: format_test.go and marker_test.go on the memory file system; the rest
// is tested whole, over real sockets, in broker_test.go and under test/.
package broker
