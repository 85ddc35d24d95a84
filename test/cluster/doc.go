// Package cluster runs several real brokerd processes as one cluster, and ends
// some of them.
//
//	node 1 ─┐
//	node 2 ─┼─ raft over the controller listeners ─► one image on all
//	node 3 ─┘        ▲ kill -9, wipe, restart
//
// Run by `make cluster`.
package cluster
