package cli

// topicsOptions is the command line of kafka-topics: names, defaults and words are the contract.
func topicsOptions() []jopt {
	return []jopt{
		{name: "alter", help: "Alter the number of partitions and replica assignment. (To alter topic configurations, the kafka-configs " +
			"tool can be used.)"},
		{name: "at-min-isr-partitions", help: "If set when describing topics, only show partitions whose isr count is equal to the configured minimum."},
		{name: "bootstrap-server", arg: required, kind: "String", argName: "server to connect to", help: "REQUIRED: The Kafka server to connect to."},
		{name: "command-config", arg: required, kind: "String", argName: "command config property file", help: "Property file containing configs to be passed to Admin Client."},
		{name: "config", arg: required, kind: "String", argName: "name=value", help: "A topic configuration override for the topic being created. The following is a list of valid configurations: " +
			"\n" +
			listed(topicSettings) +
			"See the Kafka documentation for full details on the topic configs. It is supported only in combination " +
			"with --create. (To alter topic configurations, the kafka-configs tool can be used.)"},
		{name: "create", help: "Create a new topic."},
		{name: "delete", help: "Delete a topic."},
		{name: "delete-config", arg: required, kind: "String", argName: "name", help: "This option is no longer supported and has been deprecated since 4.0"},
		{name: "describe", help: "List details for the given topics."},
		{name: "exclude-internal", help: "Exclude internal topics when listing or describing topics. By default, the internal topics are included."},
		{name: "help", help: "Print usage information."},
		{name: "if-exists", help: "If set when altering or deleting or describing topics, the action will only execute if the topic exists."},
		{name: "if-not-exists", help: "If set when creating topics, the create request will not fail if the topic already exists, but the " +
			"request will still be sent."},
		{name: "list", help: "List all available topics."},
		{name: "partition-size-limit-per-response", arg: required, kind: "Integer", argName: "maximum number of partitions per response", help: "The maximum partition size to be included in one DescribeTopicPartitions response."},
		{name: "partitions", arg: required, kind: "Integer", argName: "# of partitions", help: "The number of partitions for the topic being created or altered. If not supplied with --create, " +
			"the topic uses the cluster default. (WARNING: If partitions are increased for a topic that has a " +
			"key, the partition logic or ordering of the messages will be affected)."},
		{name: "replica-assignment", arg: required, kind: "String", argName: "broker_id_for_part1_replica1 : broker_id_for_part1_replica2 , broker_id_for_part2_replica1 : broker_id_for_part2_replica2 , ...", help: "A list of manual partition-to-broker assignments for the topic being created or altered."},
		{name: "replication-factor", arg: required, kind: "Integer", argName: "replication factor", help: "The replication factor for each partition in the topic being created. If not supplied, the topic " +
			"uses the cluster default."},
		{name: "topic", arg: required, kind: "String", argName: "topic", help: "The topic to create, alter, describe or delete. It also accepts a regular expression, except for " +
			"--create option."},
		{name: "topic-id", arg: required, kind: "String", argName: "topic-id", help: "The topic-id to describe."},
		{name: "topics-with-overrides", help: "If set when describing topics, only show topics that have overridden configs."},
		{name: "unavailable-partitions", help: "If set when describing topics, only show partitions whose leader is not available."},
		{name: "under-min-isr-partitions", help: "If set when describing topics, only show partitions whose isr count is less than the configured minimum."},
		{name: "under-replicated-partitions", help: "If set when describing topics, only show under-replicated partitions."},
		{name: "version", help: "Display Kafka version."},

		// Spellings that Kafka has dropped, and one of our own.
		{name: "zookeeper", arg: required, kind: "String", alias: "zookeeper"},
		{name: "legacy-format", alias: "legacy-format"},
	}
}
