// Package chaos ends real brokers in the worst moments and audits what is left.
//
//	producers ──► broker (a process) ◄── SIGKILL, power cut
//	    │ acknowledgements, kept outside of the broker
//	    ▼
//	ledger ──► audit: every acknowledged record is at its offset, offsets are
//	           contiguous, nothing of an idempotent producer is there twice
//
// TestKill kills the process (kill -9); a quarter of its kills hit recovery, a
// segment roll or a checkpoint. TestPowerCut keeps the data on a file system in
// a loop image, copies the image while the broker is stopped, and goes on from
// the copy: what was never fsynced is gone. It needs root and loop devices, and
// says so when they are missing.
//
// TestDiskFull fills a small file system and frees it again; TestSyncError lets
// fdatasync fail under strace.
//
// Run by `make kill KILLS=100`, `make powercut CUTS=50` and `make disk`.
package chaos
