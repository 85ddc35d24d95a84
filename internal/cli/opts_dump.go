package cli

// dumpOptions is the command line of kafka-dump-log: names, defaults and words are the contract.
func dumpOptions() []jopt {
	return []jopt{
		{name: "cluster-metadata-decoder", help: "If set, log data will be parsed as cluster metadata records."},
		{name: "deep-iteration", help: "If set, uses deep instead of shallow iteration. Automatically set if print-data-log is enabled."},
		{name: "files", arg: required, kind: "String", argName: "file1, file2, ...", help: "REQUIRED: The comma separated list of data and index log files to be dumped."},
		{name: "help", help: "Print usage information."},
		{name: "index-sanity-check", help: "If set, just checks the index sanity without printing its content. This is the same check that is " +
			"executed on broker startup to determine if an index needs rebuilding or not."},
		{name: "key-decoder-class", arg: optional, kind: "String", def: "org.apache.kafka.tools.api.StringDecoder", help: "If set, used to deserialize the keys. This class should implement org.apache.kafka.tools.api.Decoder " +
			"trait. Custom jar should be available in kafka/libs directory."},
		{name: "max-bytes", arg: required, kind: "Integer", argName: "size", def: "2147483647", help: "Limit the amount of total batches read in bytes avoiding reading the whole .log file(s)."},
		{name: "max-message-size", arg: required, kind: "Integer", argName: "size", def: "5242880", help: "Size of largest message."},
		{name: "offsets-decoder", help: "If set, log data will be parsed as offset data from the __consumer_offsets topic."},
		{name: "print-data-log", help: "If set, printing the messages content when dumping data logs. Automatically set if any decoder option " +
			"is specified."},
		{name: "remote-log-metadata-decoder", help: "If set, log data will be parsed as TopicBasedRemoteLogMetadataManager (RLMM) metadata records. Instead, " +
			"the value-decoder-class option can be used if a custom RLMM implementation is configured."},
		{name: "share-group-state-decoder", help: "If set, log data will be parsed as share group state data from the __share_group_state topic."},
		{name: "skip-record-metadata", help: "Skip metadata when printing records. This flag also skips control records."},
		{name: "transaction-log-decoder", help: "If set, log data will be parsed as transaction metadata from the __transaction_state topic."},
		{name: "value-decoder-class", arg: optional, kind: "String", def: "org.apache.kafka.tools.api.StringDecoder", help: "If set, used to deserialize the messages. This class should implement org.apache.kafka.tools.api.Decoder " +
			"trait. Custom jar should be available in kafka/libs directory."},
		{name: "verify-index-only", help: "If set, just verify the index log without printing its content."},
		{name: "version", help: "Display Kafka version."},
	}
}
