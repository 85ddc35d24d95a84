// Package vfs is the file system as brokerd uses it.
//
//	storage, catalog, conf ──► FS, File ──┬── OS     the kernel's files (fdatasync, fallocate, syncfs, flock)
//	                                      ├── Mem    memory that can lose power
//	                                      └── Fault  wraps any FS: errors, torn writes, full disks, slow syncs
//	CopyRange(w, f, off, n)   sendfile where both ends are the kernel's, a pooled copy otherwise
//
// Invariants
//
//	V1  Positions are explicit: no call depends on, or moves, a shared file position.
//	V2  Mem.Crash keeps every byte whose Sync returned nil before the last write to its block,
//	    and every directory entry whose SyncDir returned nil after its last change.
//	V3  Everything else survives block by block (4 KiB) and entry by entry, by chance. A rename
//	    is one change: after a crash the thing has its old name or its new one, never none or both.
//	V4  A Sync that failed leaves the pages clean: the next Sync succeeds and the data is not on
//	    disk (fsyncgate). Nobody may retry a failed Sync.
//	V5  CopyRange writes exactly n bytes or returns an error.
//
// Goroutines: none. Locks: Mem.mu (the whole tree), Fault.mu (rules and budget), OS.mu (the
// directory descriptors for syncfs). None is held across a call to the kernel or to another FS,
// except that OS.mu covers the open of a directory.
//
// Tests: vfstest is one suite of behaviours that runs on OS, Mem and Fault; crash_test.go runs
// random operations and compares each crash with a list of what may and what must be there.
package vfs
