// Package hostile sends brokerd what no client would, and overloads it.
//
//	schema (kmsg, by reflection) ─► fields ─┐
//	tables: frames, batches, bombs, names ──┼─► cases ─► attackers ─► broker (a process)
//	seeded mutation of all of them ─────────┘              │            │ /metrics, RSS
//	                                     healthy client ───┤            │
//	                                                       ▼            ▼
//	                                                     judge: findings
//
// A case is bytes for one connection. Behind them goes a request whose answer is
// known (the sentinel): either it is answered, so that everything in front of it
// was, or the connection closes. A case that breaks the framing ends the sending
// side after it, and the connection has to close. Neither is a finding, as are a
// panic, an answer that cannot be read, a closing that was not counted, memory
// that grew by more than 64 MiB, and a healthy client that got slow.
//
// Rules
//
//	H1  every case is answered or closed within a second. A late one is repeated
//	    when the machine is quiet, and counts when it is late again.
//	H2  the healthy client is measured in pairs of rounds, without and with a
//	    paced attack. It got slow when its 99th percentile more than doubled in
//	    three pairs of four: one or two moments in which somebody else had the
//	    machine decide nothing. The median is printed.
//	H3  the judge is judged: TestPlanted builds brokers with a planted mistake
//	    each (the compiler's overlay; the product has no trace of it), and the
//	    judge has to find them.
//
// Everything comes from a seed, which is printed. Run by `make hostile
// CASES=50000`; TestOverload by `make overload`, TestSoak by `make soak`.
package hostile
