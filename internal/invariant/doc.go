// Package invariant holds the assertions that stay on in production.
//
// Check ends the process when one of our own rules is broken: the process
// restarts from disk, which is always a state we trust. A broken data-safety
// rule of a single partition does not come here: the core that notices it
// returns an effect that fences the partition (replication rules, D10).
//
// Goroutines and locks: none. Tests: invariant_test.go.
package invariant
