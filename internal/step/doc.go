// Package step names the identities and moments that every core and shell share.
//
// A core (meta, isr, group, txn) never asks for the time: it is handed an
// Instant. It never holds a socket or file: it names partitions by PartitionID.
//
// Wall is the clock of shells that delete by age: what it believes is a pure function
// of the readings that it is handed.
//
// Goroutines and locks: none. Tests: step_test.go, wall_test.go.
package step
