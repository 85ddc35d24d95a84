// Package clients runs unmodified Kafka clients against brokerd.
//
// Each client is a program of its own that gets a bootstrap address and prints
// one line per case: "ok NAME" or "FAIL NAME: detail". The cases are the same
// for all: create a topic, produce with acks 0, 1 and all under every codec that
// the client has, read back from the start, from an offset and from a timestamp.
//
// The programs need what scripts/clients installs; run them by `make clients`.
package clients
