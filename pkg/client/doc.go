// Package client talks to a brokerd (or any Kafka) cluster.
//
// It is a thin, typed layer on franz-go, which it never hides: Raw gives the
// *kgo.Client. What it adds is what a command line and a service need around
// it: Java property names as configuration, errors that errors.Is understands
// with the broker's own words in them, one clear error when the cluster cannot
// be reached, an Admin in whole sentences, and the APIs that only brokerd has.
//
//	options ─┐
//	          ├─► config ─► kgo.Client ◄─ Raw      Admin (topics, configs, own APIs)
//	.properties┘              │  dialer: remembers what could not be reached
//	                          ▼
//	                 Connect, Guard: UnreachableError, AdvertisedError
//
// Invariants
//
//	I1  A key of a property file is applied, known to be harmless, or named in Warnings.
//	I2  Every error that a broker answered is an *Error and unwraps to a sentinel of this package.
//	I3  A *Client is safe for concurrent use once New has returned.
//
// Goroutines: those of franz-go, ended by Close; Connect's ping, which may
// outlive the call by 10 s, and one per bootstrap address that it asks, ended
// with the call; one per broker that FullDirs asks, joined by it. Locks: dialer.mu.
// Tests: table tests of keys and errors, a fake broker for the dialer, a fuzz
// of the own messages; end to end through the command line's scripts.
package client
