// Package sim is the world for tests. Only tests import it. It has two parts:
//
//	Core   a cluster of the pure cores on one goroutine, replayed by its seed, at
//	       memory speed: isr.Leader and isr.Follower, meta.Apply, model logs,
//	       model clients, faults, checkers (core*.go, check*.go)
//	Net    a network whose latency, partitions and resets a seed decides, for
//	       whole brokers in a bubble
//
// # Core
//
//	Plan (of a seed) ─► Run ─► rage: one event after the other, faults between
//	                           │        every effect ─► checkers, R1 … R23
//	                           └─► recover: all is mended, must converge ─► read back
//
// A plan is all that a seed decides beforehand: sizes, times, the list of faults.
// Deleting a fault gives another plan, which is how a failing one is made small.
// What a plan leaves open (ways of messages, choices of clients) a second
// generator of the same seed decides as it comes, so a plan is one history.
//
// What is real: isr, meta. What is a model: the log (a slice of epoch and id, a
// durable end, an epoch cache), the controller's log (linearizable by construction;
// losing the controller loses proposals or their answers), the shell around the
// cores, which does what package replica does. A stop forgets what a process
// forgets; a power cut what was not synced, in part; a broker that starts applies
// old metadata again, and acts on nothing before its own registration (D5).
//
// Each checker is a file, named after the first rule that it checks. A rule
// of core_rules.go can be switched off in a plan, to prove that its absence is found.
//
// # Net
//
//	host a ── Dial ──► conn ──► lane a→b: [write][write][write] ──► inbox ──► Read at b
//	                   conn ◄── lane b→a: …            ▲
//	                                 bus (one write at a time) or storm (as each falls due)
//
// Net implements wire.Network once per host, so that it knows who talks to whom.
// Connections are buffered like the kernel's: a Write returns before anybody
// reads, until 1 MiB is under way.
//
// Two orders. In a storm every write arrives when its latency has passed: same
// instants race, which is what one wants under -race. On the bus (Net.Run, in a
// synctest bubble) one goroutine waits until nobody can move, lets the seed pick
// one write that is due, delivers it and waits again: a seed is one trace, as
// far as the code under test does not toss coins itself.
//
// Invariants
//
//	N1  bytes of one direction of a connection arrive in order, once, or the
//	    connection breaks: like TCP.
//	N2  a cut lane holds what is written and delivers it after Heal; a dial over
//	    a cut lane waits.
//	N3  only the bus calls synctest.Wait.
//	N4  no mutex is held while waiting.
//
// Goroutines: the bus, ended by the context of Run; timers. Locks: Net.mu over
// everything, held to touch memory only.
//
// Tests: core_test.go (a slice of seeds; make sim for more), scenes_test.go (directed
// histories, J-01 and on), mutations_test.go (make mutations), testdata (histories that
// failed once), net_test.go.
package sim
