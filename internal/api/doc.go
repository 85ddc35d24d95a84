// Package api says what requests mean: one file per family, one shape of
// handler, one table.
//
//	server ─ Call ─► Dispatcher ─► bounds ─► Endpoint.Serve ─ Outcome ─► server
//	                 array by key  skim.go   authorize → route → do → answer
//	                                            │          │      │
//	                                          auth      catalog  controller, replica
//
// Table lists every API with its versions; ApiVersions and docs/protocol.md are
// made from it, so what is served, advertised and documented cannot differ.
//
// Invariants
//
//	P1  Serve never waits. What must wait is a pending outcome with a deadline.
//	P2  a request loads one image and decides by it alone.
//	P3  nothing is decoded before skim has bounded what decoding may allocate:
//	    at most 16 bytes per byte received, and 64 KiB.
//	P4  what outlives Serve is copied: a request aliases the read buffer.
//	P5  only codes.go turns errors of other packages into Kafka's codes.
//	P6  a request of a key or version that the table does not list is never
//	    answered, except ApiVersions: it hears, in version 0, which ones are.
//
// Goroutines: one per request that is on its way to a controller on another node
// (envelope.go, initproducer.go), ended by its deadline; no others. Handlers run
// on the connection's goroutine, completions on that of whoever completes. Locks: pending.mu, autocreate.mu,
// waiting.mu, and those of fetch sessions and producer ids; they guard memory
// only, and nothing is called under them.
//
// Tests: one table test per family through a Dispatcher, over a real catalog and
// controller (node_test.go) or over logs in memory (data_node_test.go); fuzzes of
// the decoding and of the serving of all (key, version) pairs; docs_test.go holds
// docs/protocol.md to the table; test/oracle compares with a real Kafka.
package api
