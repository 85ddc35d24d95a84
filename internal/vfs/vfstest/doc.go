// Package vfstest is the behaviour that every vfs.FS shares, as one test suite.
//
//	vfstest.Run(t, open)  ──► OS (in a temporary directory), Mem, Fault without rules
//
// Invariants
//
//	T1  A test here passes on the kernel first: Mem follows it, never the other way round.
//	T2  Nothing here knows which implementation it runs on.
//
// Goroutines: those of one test, joined in it. Locks: none. Tests: this is one.
package vfstest
