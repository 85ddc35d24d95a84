// Package server owns the client sockets: listeners, connections, ordered
// answers, limits. What a request means is the Dispatcher's.
//
//	            ┌──────────────── conn ────────────────────────────┐
//	recv ─► input ─► header ─► Serve ─► entry ─► queue ─► gate ─► send
//	        │ frame           │          ▲ done()  head…   │
//	        └ budget          └ panic    │                 ├ reader: also file ranges
//	                                     X (completer)     ├ completer: one send, never waits
//	                                                       └ drain: what a slow peer leaves
//
// A connection is one goroutine that runs to completion (reader). It takes
// frames up in order and makes an entry for each; answers leave in that order.
// Those that are ready leave together, in one send, when no whole frame is left
// and before anything that may wait. One that waits is completed by somebody
// else (X), who sends if it is the head and the gate is free.
//
// Requests of a kind that gathers (Produce) and that one read has brought are
// served one by one and worked on together (run): their bodies stay in the read
// buffer until then, so a run ends before anything else is served or waited for.
//
// Two kinds of connection stand behind link. rawLink (TCP) owns no buffer while
// it is idle, sends by send(MSG_DONTWAIT) and sendfile. netLink is any net.Conn:
// it waits in a read of the length prefix and writes through its drain goroutine.
//
// Sizes: an idle raw connection costs about 4 KB (BenchmarkIdle), half of it the
// stack of a goroutine that napped; a request none of our allocations.
//
// Invariants
//
//	V1  answers leave in the order of their requests, each once and whole.
//	V2  one goroutine at a time sends: the holder of the gate. Who finds it taken
//	    leaves the rest to the holder, who looks again before giving it back.
//	V3  a completer never waits for the peer: not for file ranges, not on a
//	    netLink, not for what the socket does not take at once.
//	V4  an outcome is finished or dropped once, and only after it was queued.
//	V5  what waits owns no read buffer: at most 4 KiB of an unfinished frame is
//	    kept, or a frame that the memory budget was charged for before its body.
//	V6  no memory is taken for a length alone: at most 32 times what has come.
//	V7  taken up and not sent: at most 64 requests, and reading stops at 1 MiB held.
//	    What does not keep its body while it waits (Trait.Light) counts 512 B.
//	V8  memory of the budget goes back exactly once, also when the connection dies.
//
// Goroutines: one accept loop per listener and one per connection, which makes
// way for a new one after a quiet while (joined by Run and Shutdown); at most one
// drain goroutine per connection, whose end the connection's goroutine waits for
// (it holds the gate). An upgraded connection is its new owner's. One timer per
// connection, for the head's deadline. Locks: Server.mu, conn.mu, budget.mu,
// hints.mu; memory only, and never two together (Stats takes them in turn).
//
// Tests: FuzzInput holds the framing against a plain slice; conn_test.go runs
// both kinds against a dispatcher that answers from many goroutines, with slow
// peers, under -race; limits run in bubbles on the netLink and with short limits on real sockets; bench_test.go compares with a
// bare echo in the same run.
package server
