package cli

// consumerGroupsOptions is the command line of kafka-consumer-groups: names,
// defaults and words are the contract.
func consumerGroupsOptions() []jopt {
	return []jopt{
		{name: "all-groups", help: "Apply to all consumer groups."},
		{name: "all-topics", help: "Consider all topics assigned to a group in the `reset-offsets` process."},
		{name: "bootstrap-server", arg: required, kind: "String", argName: "server to connect to", help: "The server(s) to connect to. REQUIRED for all options except for --validate-regex."},
		{name: "by-duration", arg: required, kind: "String", argName: "duration", help: "Reset offsets to offset by duration from current timestamp. Format: 'PnDTnHnMnS'"},
		{name: "command-config", arg: required, kind: "String", argName: "command config property file", help: "Property file containing configs to be passed to Admin Client and Consumer."},
		{name: "delete", help: "Pass in groups to delete topic partition offsets and ownership information over the entire consumer group. " +
			"For instance --group g1 --group g2"},
		{name: "delete-offsets", help: "Delete offsets of consumer group. Supports one consumer group at the time, and multiple topics."},
		{name: "describe", help: "Describe consumer group and list offset lag (number of messages not yet processed) related to given group."},
		{name: "dry-run", help: "Only show results without executing changes on Consumer Groups. Supported operations: reset-offsets."},
		{name: "execute", help: "Execute operation. Supported operations: reset-offsets."},
		{name: "export", help: "Export operation execution to a CSV file. Supported operations: reset-offsets."},
		{name: "from-file", arg: required, kind: "String", argName: "path to CSV file", help: "Reset offsets to values defined in CSV file."},
		{name: "group", arg: required, kind: "String", argName: "consumer group", help: "The consumer group we wish to act on."},
		{name: "help", help: "Print usage information."},
		{name: "list", help: "List all consumer groups."},
		{name: "members", help: "Describe members of the group. This option may be used with '--describe' and '--bootstrap-server' options only.\n" +
			"Example: --bootstrap-server localhost:9092 --describe --group group1 --members"},
		{name: "offsets", help: "Describe the group and list all topic partitions in the group along with their offset lag. " +
			"This is the default sub-action of and may be used with '--describe' and '--bootstrap-server' options only.\n" +
			"Example: --bootstrap-server localhost:9092 --describe --group group1 --offsets"},
		{name: "reset-offsets", help: "Reset offsets of consumer group. Supports one consumer group at the time, and instances should be inactive\n" +
			"Has 2 execution options: --dry-run (the default) to plan which offsets to reset, and --execute to update the offsets. " +
			"Additionally, the --export option is used to export the results to a CSV format.\n" +
			"You must choose one of the following reset specifications: --to-datetime, --by-duration, --to-earliest, " +
			"--to-latest, --shift-by, --from-file, --to-current, --to-offset.\n" +
			"To define the scope use --all-topics or --topic. One scope must be specified unless you use '--from-file'."},
		{name: "shift-by", arg: required, kind: "Long", argName: "number-of-offsets", help: "Reset offsets shifting current offset by 'n', where 'n' can be positive or negative."},
		{name: "state", arg: optional, kind: "String", help: "When specified with '--describe', includes the state of the group.\n" +
			"Example: --bootstrap-server localhost:9092 --describe --group group1 --state\n" +
			"When specified with '--list', it displays the state of all groups. It can also be used to list groups with specific states.\n" +
			"Example: --bootstrap-server localhost:9092 --list --state stable,empty\n" +
			"This option may be used with '--describe', '--list' and '--bootstrap-server' options only."},
		{name: "timeout", arg: required, kind: "Long", argName: "timeout (ms)", def: "30000", help: "The timeout that can be set for some use cases. For example, it can be used when describing the group " +
			"to specify the maximum amount of time in milliseconds to wait before the group stabilizes (when the group is just created, " +
			"or is going through some changes)."},
		{name: "to-current", help: "Reset offsets to current offset."},
		{name: "to-datetime", arg: required, kind: "String", argName: "datetime", help: "Reset offsets to offset from datetime. Format: 'YYYY-MM-DDThh:mm:ss.sss'"},
		{name: "to-earliest", help: "Reset offsets to earliest offset."},
		{name: "to-latest", help: "Reset offsets to latest offset."},
		{name: "to-offset", arg: required, kind: "Long", argName: "offset", help: "Reset offsets to a specific offset."},
		{name: "topic", arg: required, kind: "String", argName: "topic", help: "The topic whose consumer group information should be deleted or topic whose should be included in the reset offset process. " +
			"In `reset-offsets` case, partitions can be specified using this format: `topic1:0,1,2`, where 0,1,2 are the partition to be included in the process. " +
			"Reset-offsets also supports multiple topic inputs."},
		{name: "type", arg: optional, kind: "String", help: "When specified with '--list', it displays the types of all the groups. It can also be used to list groups with specific types.\n" +
			"Example: --bootstrap-server localhost:9092 --list --type classic,consumer\n" +
			"This option may be used with the '--list' option only."},
		{name: "validate-regex", arg: required, kind: "String", argName: "regex", help: "Validate that the syntax of the provided regular expression is valid according to the RE2 format."},
		{name: "verbose", help: "Provide additional information, if any, when describing the group. This option may be used " +
			"with '--offsets'/'--members'/'--state' and '--bootstrap-server' options only.\n" +
			"Example: --bootstrap-server localhost:9092 --describe --group group1 --members --verbose"},
		{name: "version", help: "Display Kafka version."},

		// Dropped long ago.
		{name: "zookeeper", arg: required, kind: "String", alias: "zookeeper"},
	}
}

// getOffsetsOptions is the command line of kafka-get-offsets.
func getOffsetsOptions() []jopt {
	return []jopt{
		{name: "bootstrap-server", arg: required, kind: "String", argName: "HOST1:PORT1,...,HOST3:PORT3", help: "REQUIRED. The server(s) to connect to in the form HOST1:PORT1,HOST2:PORT2."},
		{name: "command-config", arg: required, kind: "String", argName: "config file", help: "Property file containing configs to be passed to Admin Client."},
		{name: "exclude-internal-topics", help: "By default, internal topics are included. If specified, internal topics are excluded."},
		{name: "help", help: "Print usage information."},
		{name: "partitions", arg: required, kind: "String", argName: "partition ids", help: "Comma separated list of partition ids to get the offsets for. If not present, " +
			"all partitions of the authorized topics are queried. Cannot be used if --topic-partitions is present."},
		{name: "time", arg: required, kind: "String", argName: "<timestamp> / -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload",
			def: "latest", help: "timestamp of the offsets before that. [Note: No offset is returned, if the timestamp greater than recently committed record timestamp is given.]"},
		{name: "topic", arg: required, kind: "String", argName: "topic", help: "The topic to get the offsets for. It also accepts a regular expression. " +
			"If not present, all authorized topics are queried. Cannot be used if --topic-partitions is present."},
		{name: "topic-partitions", arg: required, kind: "String", argName: "topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3", help: "Comma separated list of topic-partition patterns to get the offsets for, with the format of " +
			"'([^:,]*)(?::(?:([0-9]*)|(?:([0-9]*)-([0-9]*))))?'. The first group is an optional regex for the topic name, if omitted, it matches any topic name. " +
			"The section after ':' describes a 'partition' pattern, which can be: a number, a range in the format of 'NUMBER-NUMBER' (lower inclusive, upper exclusive), " +
			"an inclusive lower bound in the format of 'NUMBER-', an exclusive upper bound in the format of '-NUMBER' or may be omitted to accept all partitions."},
		{name: "version", help: "Display Kafka version."},

		{name: "broker-list", arg: required, kind: "String", alias: "bootstrap-server"}, // until 3.0
	}
}

// deleteRecordsOptions is the command line of kafka-delete-records.
func deleteRecordsOptions() []jopt {
	return []jopt{
		{name: "bootstrap-server", arg: required, kind: "String", argName: "server(s) to use for bootstrapping", help: "REQUIRED: The server to connect to."},
		{name: "command-config", arg: required, kind: "String", argName: "command config property file path", help: "A property file containing configs to be passed to Admin Client."},
		{name: "help", help: "Print usage information."},
		{name: "offset-json-file", arg: required, kind: "String", argName: "Offset json file path", help: "REQUIRED: The JSON file with offset per partition. The format to use is:\n" +
			"{\"partitions\":\n  [{\"topic\": \"foo\", \"partition\": 1, \"offset\": 1}],\n \"version\":1\n}"},
		{name: "version", help: "Display Kafka version."},
	}
}

// groupsOptions is the command line of kafka-groups.
func groupsOptions() []jopt {
	return []jopt{
		{name: "bootstrap-server", arg: required, kind: "String", argName: "server to connect to", must: true, help: "REQUIRED: The Kafka server to connect to."},
		{name: "command-config", arg: required, kind: "String", argName: "command config property file", help: "Property file containing configs to be passed to Admin Client."},
		{name: "consumer", help: "Filter the groups to show all kinds of consumer groups, including classic and simple consumer groups. " +
			"This matches group type 'consumer', and group type 'classic' where the protocol type is 'consumer' or empty."},
		{name: "group-type", arg: required, kind: "String", argName: "type", help: "Filter the groups based on group type. Valid types are: 'classic', 'consumer', 'share' and 'streams'."},
		{name: "help", help: "Print usage information."},
		{name: "list", help: "List the groups."},
		{name: "protocol", arg: required, kind: "String", argName: "protocol", help: "Filter the groups based on protocol type."},
		{name: "share", help: "Filter the groups to show share groups."},
		{name: "streams", help: "Filter the groups to show streams groups."},
		{name: "version", help: "Display Kafka version."},
	}
}
