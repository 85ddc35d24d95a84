// Package oracle compares brokerd with a real Apache Kafka, which is right.
//
//	the same requests ──► Kafka 4.4.0 ──► answer ─┐
//	                  └─► brokerd     ──► answer ─┴─ field by field
//	the same workload ──► both ──► Kafka's DumpLogSegments reads our files,
//	                              brokerd prints Kafka's as Kafka does
//	the same words    ──► Kafka's tools and brokerd's face of them, one brokerd
//
// What must be asked follows from what brokerd says that it serves: a new API,
// version, field or error code without a case turns a whole run red.
//
// Invariants
//
//	I1  a difference in a field fails, unless differences_test.go names it with a reason.
//	I2  a difference that is named there and no longer seen fails as well.
//	I3  what each broker chooses for itself (ids, sessions, clocks) is compared
//	    by the role it plays, never by its value (roles_test.go).
//	I4  in each version of each API some accepted request sets each field to
//	    something else than its default, unless exempt_test.go says why not.
//	I5  each error code that internal/api knows is met where codes_test.go says so,
//	    or excused there with a reason.
//	I6  a wrong value planted into any field of our answers is noticed, unless
//	    plant_test.go says why not.
//
// A version that Kafka has given up is asked of it as its oldest one, and the
// answer taken down (pair_test.go).
//
// Goroutines: one copies Kafka's output, one per Java process; both end with the
// process, which ends with the test. The tests run one after another. Run by
// `make oracle`, which needs Java 17 and Maven once; kafka_test.go starts the one
// Kafka that all tests share.
package oracle
