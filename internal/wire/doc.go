// Package wire is what travels between brokers and clients, and what passes
// between the doors that read it (server) and those that understand it (api).
//
//	frame:   length:int32 │ header │ body
//	request: header v1 or v2, by key and version     (header.go)
//	answer:  header v0 or v1, one pooled buffer      (respond.go)
//	         [bytes …][file range][bytes …]          (Frame, for fetch)
//	         its error codes are counted             (failures.go)
//
//	server ── Call ──► api          Peer ── Send ──► another broker
//	server ◄─ Outcome ─ api              ◄─ Wait ───
//	                                Link ── Send, Receive ──► the same, for one
//	                                        goroutine that waits itself (fetchers)
//
// Invariants
//
//	W1  a pooled buffer has one owner, who releases it once (Buffer).
//	W2  no length that came off the wire is believed beyond the bytes there are.
//	W3  the response header of ApiVersions is v0, always.
//	W4  a connection is in the queue of the writers at most once, so that queue
//	    is bounded by the number of connections.
//	W5  an outcome is finished or dropped exactly once, never both.
//	W6  a Pending of a Peer ends exactly once: answered, refused, or lost.
//	    What was refused for its version is asked of a new connection, once
//	    nothing is under way on the old one.
//
// Goroutines: the Writers' four, until the context of Run ends; a Peer's reader
// and writer, until Close. Locks: Writers.mu, Peer.mu, Link.mu; memory only.
//
// Tests: round trips and fuzzing of the header codec; buffers are poisoned when
// they are released under -race; Peer runs in synctest bubbles.
package wire
