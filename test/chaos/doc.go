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
// TestPowerCutOfAll does that to three nodes with 1,000 partitions at one moment, and
// prints how long it takes until all are written to again.
//
// TestDiskFull fills a small file system and frees it again; TestSyncError lets
// fdatasync fail under strace.
//
// TestThree is the same for a cluster: three nodes, each in a network namespace
// and on a disk of its own, and a seeded schedule of faults.
//
//	producers (acks=all) ──► node 1  node 2  node 3 ◄── kill -9, pause, stop, power cut of one or
//	    │ ledger             files   files   files      all, full disk, failing fsync, partitions
//	    ▼                      └───────┴───────┘        (one way, one pair, a bridge, alone)
//	auditor: every acknowledged record is on every replica, with its bytes; none of an
//	         idempotent producer twice or out of order; none that nobody sent; replicas alike
//
// Beside it two consumer groups read the topic, of the classic protocol and of the
// new one, with members that come and go; coordinators are killed and paused. A
// committed offset is never lost, never goes back, and everything acknowledged was
// delivered to some member (groups_test.go). Partitions move under the load, and a
// node comes back with an empty disk (moves_test.go).
//
// Four clients append to one more log, read it and ask for its end; every slice of
// that history, between two moments at which nobody asked, must be linearizable
// (linear_test.go, porcupine); only of ends nothing is asked from a pause or a
// partition to the next moment at which all are in sync: a leader that was replaced
// tells an old one until it hears of it. Kafka's DumpLogSegments reads a sample (dump_test.go).
// What judges is judged: histories_test.go has families of good and bad histories.
//
// A third of the faults begin when all are in sync, and wait for a hundred
// acknowledged writes while they last; the others come upon what the last one
// left. The auditor reads the files with reader_test.go, which shares no code
// with the broker, and TestAuditor shows it good histories and bad ones. What the
// machine cannot do is printed as UNAVAILABLE. It needs root, iproute2 and loop
// devices, and nft and strace for some of the faults. With -durability isr a
// power cut of all nodes must turn it red.
//
// docs/chaos.md adds up the runs that found nothing (RECORD=1).
//
// Run by `make chaos MINUTES=20`, `make kill KILLS=100`, `make powercut CUTS=50` and `make disk`.
package chaos
