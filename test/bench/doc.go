// Package bench measures brokerd, Apache Kafka and what the kernel alone would
// cost, side by side in one run. `make bench SCENARIO=S1` runs a scenario;
// -record writes its table into docs/benchmarks.md.
//
//	round:  brokerd  Kafka  Kafka  brokerd  floor      each a section: load, CPU before and after
//	        └────────── ratio of this round ┘          first round thrown away, median of the rest
//
// Rules
//
//	B1  what is compared runs in the same round, on the same machine and file
//	    system; a result is the median of the rounds' ratios, with their range.
//	B2  a server's CPU is its process clock; rates measure the driver and the
//	    machine's mood, and stand second.
//	B3  every acknowledged batch is checked for its error code, every consumed one
//	    for its offset and CRC.
//	B4  a line names its durability; fsync (Kafka with flush.messages=1) comes first,
//	    then isr (Kafka's default), beside the disk's own fdatasync.
//	B5  memory that a section will fill is touched before it, topics are new for each
//	    section, the congestion control is cubic for everybody.
//	B6  the JVM has carried load for a while before it is measured.
//	B7  nothing here fails because something was slow.
//	B8  of three brokers each leads in turn, so that every one is warm and none has
//	    the controller beside it more often than another; one's CPU stands beside that
//	    of all three.
//
// The floor is a process of ours that makes the system calls of a broker and
// nothing else: receive, append what has come by one write into preallocated
// space (and fdatasync, shared by all who wait), answer, or sendfile.
//
// Goroutines: one per driving connection, joined by the section that starts it; the
// writer of an outage ends with the first record that is acknowledged after it.
package bench
