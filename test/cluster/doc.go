// Package cluster runs several real brokerd processes as one cluster, and ends
// some of them.
//
//	node 1 ─┐
//	node 2 ─┼─ raft over the controller listeners ─► one image on all
//	node 3 ─┘        ▲ kill -9, wipe, restart
//
// TestFailover ends leaders under clients that write one record after the other,
// franz-go and, with -java, the Java client, and prints how long their partitions
// stood still: percentiles, never an assertion.
//
// A few tests take long: `make cluster` runs them all, CI a slice of them that the
// commit chooses (slice_test.go), and all of the others.
//
// Run by `make cluster` and `make failover KILLS=60`.
package cluster
