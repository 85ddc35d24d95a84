// Package oracle compares brokerd with a real Apache Kafka, which is right.
//
//	the same requests ──► Kafka 4.4.0 ──► answer ─┐
//	                  └─► brokerd     ──► answer ─┴─ field by field
//	the same workload ──► both ──► Kafka's DumpLogSegments reads our files,
//	                              brokerd prints Kafka's as Kafka does
//	the same words    ──► Kafka's tools and brokerd's face of them, one brokerd
//
// Invariants
//
//	I1  a difference in a field fails, unless differences.go names it with a reason.
//	I2  a difference that is named there and no longer seen fails as well.
//	I3  what each broker chooses for itself (ids, sessions, clocks) is compared
//	    by the role it plays, never by its value.
//
// Goroutines: one copies Kafka's output, one per Java process; both end with the
// process, which ends with the test. Run by `make oracle`, which needs Java 17
// and Maven once; kafka_test.go starts the one Kafka that all tests share.
package oracle
