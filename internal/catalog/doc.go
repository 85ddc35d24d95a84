// Package catalog publishes the cluster image: raft on one side, every reader
// of the process on the other.
//
//	raft ── ApplyBatch ──► FSM ── meta.Apply ──► Store ──► Image()   an atomic load
//	     ── Restore ─────►  │                      ├─────► Await(i)  until the image includes entry i
//	     ◄─ Snapshot ────── │                      └─────► Watch     latest image + union of changes
//
// Invariants
//
//	I1  one writer: raft's FSM goroutine. Images are published in log order, and
//	    the index of the published image never falls.
//	I2  a published image is never written to.
//	I3  a watcher sees every change: in the set it is handed, or in a later one.
//	    A slow watcher costs the memory of what differs, not of how often.
//
//	I4  an image of a feature level that this version does not know is never
//	    published: Failed is closed, and the process ends.
//
// Goroutines: none. Locks: Store.mu guards watchers and those who await; it is
// held to touch memory only, and wake-ups are sends on channels with room.
//
// Tests: store_test.go.
package catalog
