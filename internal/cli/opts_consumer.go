package cli

// consumerOptions is the command line of kafka-console-consumer: names, defaults and words are the contract.
func consumerOptions() []jopt {
	return []jopt{
		{name: "bootstrap-server", arg: required, kind: "String", argName: "server to connect to", help: "REQUIRED: The server(s) to connect to."},
		{name: "command-config", arg: required, kind: "String", argName: "config file", help: "Consumer config properties file. Note that [command-property] takes precedence over this config."},
		{name: "command-property", arg: required, kind: "String", argName: "consumer_prop", help: "Consumer config properties in the form key=value."},
		{name: "consumer-property", arg: required, kind: "String", argName: "consumer_prop", help: "(DEPRECATED) Consumer config properties in the form key=value. This option will be removed in a " +
			"future version. Use --command-property instead."},
		{name: "consumer.config", arg: required, kind: "String", argName: "config file", help: "(DEPRECATED) Consumer config properties file. Note that [command-property] takes precedence over " +
			"this config. This option will be removed in a future version. Use --command-config instead."},
		{name: "enable-systest-events", help: "Log lifecycle events of the consumer in addition to logging consumed messages. (This is specific " +
			"for system tests.)"},
		{name: "formatter", arg: required, kind: "String", argName: "class", def: "org.apache.kafka.tools.consumer.DefaultMessageFormatter", help: "The name of a class to use for formatting kafka messages for display."},
		{name: "formatter-config", arg: required, kind: "String", argName: "config file", help: "Config properties file to initialize the message formatter. Note that [formatter-property] takes " +
			"precedence over this config."},
		{name: "formatter-property", arg: required, kind: "String", argName: "prop", help: "The properties to initialize the message formatter. Default properties include: \n" +
			formatterHelp},
		{name: "from-beginning", help: "If the consumer does not already have an established offset to consume from, start with the earliest " +
			"message present in the log rather than the latest message."},
		{name: "group", arg: required, kind: "String", argName: "consumer group id", help: "The consumer group id of the consumer."},
		{name: "help", help: "Print usage information."},
		{name: "include", arg: required, kind: "String", argName: "Java regex (String)", help: "Regular expression specifying list of topics to include for consumption."},
		{name: "isolation-level", arg: required, kind: "String", def: "read_uncommitted", help: "Set to read_committed in order to filter out transactional messages which are not committed. Set " +
			"to read_uncommitted to read all messages."},
		{name: "key-deserializer", arg: required, kind: "String", argName: "deserializer for keys", help: "The name of the class to use for deserializing keys."},
		{name: "max-messages", arg: required, kind: "Integer", argName: "num_messages", help: "The maximum number of messages to consume before exiting. If not set, consumption is continual."},
		{name: "offset", arg: required, kind: "String", argName: "consume offset", def: "latest", help: "The offset to consume from (a non-negative number), or 'earliest' which means from beginning, or " +
			"'latest' which means from end"},
		{name: "partition", arg: required, kind: "Integer", argName: "partition", help: "The partition to consume from. Consumption starts from the end of the partition unless '--offset' " +
			"is specified."},
		{name: "property", arg: required, kind: "String", argName: "prop", help: "(DEPRECATED) The properties to initialize the message formatter. Default properties include: \n" +
			formatterHelp + " \n" +
			"This option will be removed in a future version. Use --formatter-property instead."},
		{name: "skip-message-on-error", help: "If there is an error when processing a message, skip it instead of halt."},
		{name: "timeout-ms", arg: required, kind: "Long", argName: "timeout_ms", help: "If specified, exit if no message is available for consumption for the specified interval."},
		{name: "topic", arg: required, kind: "String", argName: "topic", help: "The topic to consume from."},
		{name: "value-deserializer", arg: required, kind: "String", argName: "deserializer for values", help: "The name of the class to use for deserializing values."},
		{name: "version", help: "Display Kafka version."},

		// Spellings that Kafka has dropped.
		{name: "whitelist", arg: required, kind: "String", alias: "include"},
		{name: "broker-list", arg: required, kind: "String", alias: "bootstrap-server"},
		{name: "zookeeper", arg: required, kind: "String", alias: "zookeeper"},
	}
}
