package cli

// producerOptions is the command line of kafka-console-producer: names, defaults and words are the contract.
func producerOptions() []jopt {
	return []jopt{
		{name: "batch-size", arg: required, kind: "Integer", argName: "size", def: "16384", help: "The buffer size in bytes allocated for a partition. When records are received which are smaller " +
			"than this size the producer will attempt to optimistically group them together until this size is " +
			"reached. This is the option to control batch.size in producer configs. Please note that this option " +
			"will be replaced if max-partition-memory-bytes is also set."},
		{name: "bootstrap-server", arg: required, kind: "String", argName: "server to connect to", help: "REQUIRED: The server(s) to connect to. The broker list string in the form HOST1:PORT1,HOST2:PORT2."},
		{name: "command-config", arg: required, kind: "String", argName: "config file", help: "Producer config properties file. Note that [command-property] takes precedence over this config."},
		{name: "command-property", arg: required, kind: "String", argName: "producer_prop", help: "Producer config properties in the form key=value."},
		{name: "compression-codec", arg: optional, kind: "String", argName: "compression-codec", help: "The compression codec: either 'none', 'gzip', 'snappy', 'lz4', or 'zstd'.If specified without value, " +
			"then it defaults to 'gzip'"},
		{name: "help", help: "Print usage information."},
		{name: "line-reader", arg: required, kind: "String", argName: "reader_class", def: "org.apache.kafka.tools.LineMessageReader", help: "The class name of the class to use for reading lines from standard in. By default each line is read " +
			"as a separate message."},
		{name: "max-block-ms", arg: required, kind: "Long", argName: "max block on send", def: "60000", help: "The max time that the producer will block for during a send request."},
		{name: "max-memory-bytes", arg: required, kind: "Long", argName: "total memory in bytes", def: "33554432", help: "The total memory used by the producer to buffer records waiting to be sent to the server. This is " +
			"the option to control `buffer.memory` in producer configs."},
		{name: "max-partition-memory-bytes", arg: required, kind: "Integer", argName: "memory in bytes per partition", def: "16384", help: "(Deprecated) The buffer size in bytes allocated for a partition. When records are received which " +
			"are smaller than this size the producer will attempt to optimistically group them together until " +
			"this size is reached. This is the option to control batch.size in producer configs. This option " +
			"will be removed in Apache Kafka 5.0. Use --batch-size instead."},
		{name: "message-send-max-retries", arg: required, kind: "Integer", def: "3", help: "Brokers can fail receiving the message for multiple reasons, and being unavailable transiently is " +
			"just one of them. This property specifies the number of retries before the producer give up and " +
			"drop this message. This is the option to control `retries` in producer configs."},
		{name: "metadata-expiry-ms", arg: required, kind: "Long", argName: "metadata expiration interval", def: "300000", help: "The period of time in milliseconds after which we force a refresh of metadata even if we haven't " +
			"seen any leadership changes. This is the option to control `metadata.max.age.ms` in producer configs."},
		{name: "producer-property", arg: required, kind: "String", argName: "producer_prop", help: "(DEPRECATED) Producer config properties in the form key=value. This option will be removed in a " +
			"future version. Use --command-property instead."},
		{name: "producer.config", arg: required, kind: "String", argName: "config file", help: "(DEPRECATED) Producer config properties file. Note that [command-property] takes precedence over " +
			"this config. This option will be removed in a future version. Use --command-config instead."},
		{name: "property", arg: required, kind: "String", argName: "prop", help: "(DEPRECATED) A mechanism to pass user-defined properties in the form key=value to the message reader. " +
			"This allows custom configuration for a user-defined message reader.\n" +
			readerHelp + "\n" +
			" This option will be removed in a future version. Use --reader-property instead."},
		{name: "reader-config", arg: required, kind: "String", argName: "config file", help: "Config properties file for the message reader. Note that [reader-property] takes precedence over this config."},
		{name: "reader-property", arg: required, kind: "String", argName: "prop", help: "A mechanism to pass user-defined properties in the form key=value to the message reader. This allows " +
			"custom configuration for a user-defined message reader.\n" +
			readerHelp},
		{name: "request-required-acks", arg: required, kind: "String", argName: "request required acks", def: "-1", help: "The required `acks` of the producer requests"},
		{name: "request-timeout-ms", arg: required, kind: "Integer", argName: "request timeout ms", def: "1500", help: "The ack timeout of the producer requests. Value must be non-negative and non-zero."},
		{name: "retry-backoff-ms", arg: required, kind: "Long", def: "100", help: "Before each retry, the producer refreshes the metadata of relevant topics. Since leader election " +
			"takes a bit of time, this property specifies the amount of time that the producer waits before refreshing " +
			"the metadata. This is the option to control `retry.backoff.ms` in producer configs."},
		{name: "socket-buffer-size", arg: required, kind: "Integer", argName: "size", def: "102400", help: "The size of the tcp RECV size. This is the option to control `send.buffer.bytes` in producer configs."},
		{name: "sync", help: "If set message send requests to the brokers are synchronously, one at a time as they arrive."},
		{name: "timeout", arg: required, kind: "Long", argName: "timeout_ms", def: "1000", help: "If set and the producer is running in asynchronous mode, this gives the maximum amount of time a " +
			"message will queue awaiting sufficient batch size. The value is given in ms. This is the option " +
			"to control `linger.ms` in producer configs."},
		{name: "topic", arg: required, kind: "String", argName: "topic", help: "REQUIRED: The topic name to produce messages to."},
		{name: "version", help: "Display Kafka version."},

		// Spellings that Kafka has dropped.
		{name: "broker-list", arg: required, kind: "String", alias: "bootstrap-server"},
		{name: "zookeeper", arg: required, kind: "String", alias: "zookeeper"},
	}
}
