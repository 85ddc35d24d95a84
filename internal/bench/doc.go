// Package bench measures a controller that holds many partitions.
//
//	Metadata.Run ─► controller (a process: brokerd's, or one that a command starts)
//	      │             ▲ CreateTopics, Metadata
//	      └─► 3 nominal brokers ── BrokerRegistration, BrokerHeartbeat ──► the same
//
// Invariants
//
//	I1  every controller is asked the same requests: any that speaks Kafka's protocol can
//	    be measured.
//	I2  a figure counts only when the answer shows that it was done: topics are created,
//	    a broker is fenced (and leads nothing, where a controller tells who leads), the
//	    last topic is known after a restart.
//	I3  the process and the directory are gone when Run returns.
//
// Goroutines: one that accepts and one that sends heartbeats per nominal broker, one
// that waits for the process; all end with Run. Locks: none.
//
// Tests: the script server_bench.txt of package cli, against a controller of its own.
package bench
