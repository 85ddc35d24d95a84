// Package conf is every setting of broker and topic as one table, and what
// follows from it.
//
//	flags > --override > BROKERD_* > KAFKA_* > files       dynamic settings
//	            │ gather, with an origin each                (metadata image)
//	            ▼                                                   │
//	        check against the table ── Report: all problems at once │
//	            ▼                                                   │
//	        assemble ── Broker, typed ── Topic(dynamic, overrides) ◄┘
//	                        └── DescribeTopic, DescribeBroker, Explain, the docs page
//
// Invariants
//
//	I1  A key is in the table once; nothing reads a setting that is not in it.
//	I2  Types, defaults, ranges and the texts of refusals are Kafka 4.4's, except
//	    where a key's field Kafka names its default or the key is our own.
//	I3  A value that was not accepted never reaches a Broker or a Topic: the
//	    default stands there instead, and the report has an error.
//	I4  A sensitive value, or one that came from ${env:…}, ${file:…} or ${dir:…},
//	    is in no message and in no description.
//	I5  References to files and to the environment are resolved at start from this
//	    machine's own sources only, never from the wire.
//
// Goroutines: none. Locks: none; a Broker does not change after Load.
//
// Tests: the table against a dump of Kafka 4.4.0's own (testdata/kafka-4.4.0.tsv,
// values and messages in kafka-4.4.0-values.tsv); the properties parser against
// another implementation and by fuzzing; whole files as scripts with what they
// come to (testdata/load/*.txt).
package conf
