// Package sim is the world for tests: a network whose latency, partitions and
// resets a seed decides. Only tests import it.
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
// Tests: net_test.go.
package sim
