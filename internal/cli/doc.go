// Package cli is the command line, with two faces: brokerd's own (noun, verb,
// flags) and that of Kafka's tools, by subcommand or by the name that the
// binary is called with.
//
//	argv ─► Main ─┬─ kafka-topics[.sh] … ─► jopt (joptsimple) ─► kafka_*.go ─┐
//	              └─ topics create …     ─► cobra             ─► native_*.go ─┴─► pkg/client ─► brokers
//	                 server, storage, stop, debug              ─► broker, conf, storage
//
// Invariants
//
//	I1  In Kafka's face the text is the contract: words, layout, streams, exit codes 0 and 1.
//	I2  In our own, results go to stdout and everything else to stderr; an error says what
//	    failed, with which value, why, and the next step; exit codes are those of errors.go.
//	I3  A broker is reached through pkg/client only (internal/lint/layers.txt).
//	I4  Nothing is read, dialled or built before the command line has been understood.
//
// Goroutines: one that reads a line while a signal may come (stream.go), one
// that tells why records wait (native_produce.go, ends before its command), one
// that waits for a server's end (runfile.go), one per node that dev-cluster has
// started (dev_cluster.go); all end with the process, the nodes do not. Locks:
// syncWriter.mu, sending.mu.
//
// Tests: the help texts against files that Kafka's tools printed; tables for
// parsing; scripts with golden output under testdata/script.
package cli
