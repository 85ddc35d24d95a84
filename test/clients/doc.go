// Package clients asks every Kafka client the same questions, of brokerd or of
// an Apache Kafka.
//
//	cases.go ── one list of cases, each a Go function
//	   │ one operation a line, JSON          node: brokerd or Kafka, one per client
//	   ▼                                       ▲
//	adapter (Python, Java, Go, Rust, node) ── the client under test
//	   │                                       ▲
//	   └── what it wrote is read, and what it   │
//	       shall read is written, by franz-go ──┘
//
// An adapter knows no case. It is a small program that carries out operations
// (create, produce, open, poll …) with its client and answers each in one line:
// what came out, or the client's error with Kafka's code. So the list of cases
// exists once, and a case means the same for all clients. A case about groups has
// an adapter per member, and asks the broker who has which partitions.
//
// Invariants
//
//	I1  A case passes, or the reviewed table of the client says why it cannot.
//	    All else is red. A client that fails now and then against Apache Kafka
//	    too, or by its makers' word, has three tries in those cases when it fails
//	    with those words; the page has a note, and the run says what was asked again.
//	I2  A reason in the table is either a call that the client does not have, or
//	    a case that fails equally against Apache Kafka; AGAINST=kafka asks it, and lets
//	    pass what is known to fail against Kafka only.
//	I3  docs/compatibility.md is written by a whole run against brokerd that passes.
//
// Goroutines: one per adapter reads its standard output and one its errors, both
// end with the process; a restart case runs the node's restart beside the client
// and waits for it; the members of a group poll side by side. Clients run as parallel subtests, each with its own node.
//
// Run it by `make clients`, which installs the clients first (scripts/clients).
// CLIENT and CASE are regular expressions that choose; SLICE=i/n takes every
// n-th client.
package clients
