package cli

// reassignOptions is the command line of kafka-reassign-partitions: names,
// defaults and words are the contract.
func reassignOptions() []jopt {
	return []jopt{
		{name: "additional", help: "Execute this reassignment in addition to any other ongoing ones. " +
			"This option can also be used to change the throttle of an ongoing reassignment."},
		{name: "bootstrap-controller", arg: optional, kind: "String", argName: "bootstrap controller to connect to", help: "The controller to use for reassignment. " +
			"By default, the tool will get the quorum controller. This option supports the actions --cancel and --list."},
		{name: "bootstrap-server", arg: optional, kind: "String", argName: "Server(s) to use for bootstrapping", help: "the server(s) to use for bootstrapping."},
		{name: "broker-list", arg: required, kind: "String", argName: "brokerlist", help: "The list of brokers to which the partitions need to be reassigned in the form \"0,1,2\". " +
			"This is required if --topics-to-move-json-file is used to generate reassignment configuration"},
		{name: "cancel", help: "Cancel an active reassignment."},
		{name: "command-config", arg: required, kind: "String", argName: "Admin client property file", help: "Property file containing configs to be passed to Admin Client."},
		{name: "disable-rack-aware", help: "Disable rack aware replica assignment"},
		{name: "disallow-replication-factor-change", help: "Denies the ability to change a partition's replication factor as part of this reassignment through adding validation against it."},
		{name: "execute", help: "Kick off the reassignment as specified by the --reassignment-json-file option."},
		{name: "generate", help: "Generate a candidate partition reassignment configuration. Note that this only generates a candidate assignment, it does not execute it."},
		{name: "help", help: "Print usage information."},
		{name: "list", help: "List all active partition reassignments."},
		{name: "preserve-throttles", help: "Do not modify broker or topic throttles."},
		{name: "reassignment-json-file", arg: required, kind: "String", argName: "manual assignment json file path", help: "The JSON file with the partition reassignment configuration" +
			"The format to use is - \n" +
			"{\"partitions\":\n\t[{\"topic\": \"foo\",\n\t  \"partition\": 1,\n\t  \"replicas\": [1,2,3],\n\t  \"log_dirs\": [\"dir1\",\"dir2\",\"dir3\"]\n  }],\n\"version\":1\n}\n" +
			"Note that \"log_dirs\" is optional. When it is specified, its length must equal the length of the replicas list. The value in this list can be either " +
			"\"any\" or the absolution path of the log directory on the broker. If absolute log directory path is specified, the replica will be moved to the specified log directory on the broker."},
		{name: "replica-alter-log-dirs-throttle", arg: required, kind: "Long", argName: "replicaAlterLogDirsThrottle", def: "-1", help: "The movement of replicas between log directories on the same broker will be throttled to this value (bytes/sec). " +
			"This option can be included with --execute when a reassignment is started, and it can be altered by resubmitting the current reassignment " +
			"along with the --additional flag. The throttle rate should be at least 1 KB/s."},
		{name: "throttle", arg: required, kind: "Long", argName: "throttle", def: "-1", help: "The movement of partitions between brokers will be throttled to this value (bytes/sec). " +
			"This option can be included with --execute when a reassignment is started, and it can be altered by resubmitting the current reassignment " +
			"along with the --additional flag. The throttle rate should be at least 1 KB/s."},
		{name: "timeout", arg: required, kind: "Long", argName: "timeout", def: "10000", help: "The maximum time in ms to wait for log directory replica assignment to begin."},
		{name: "topics-to-move-json-file", arg: required, kind: "String", argName: "topics to reassign json file path", help: "Generate a reassignment configuration to move the partitions " +
			"of the specified topics to the list of brokers specified by the --broker-list option. The format to use is - \n" +
			"{\"topics\":\n\t[{\"topic\": \"foo\"},{\"topic\": \"foo1\"}],\n\"version\":1\n}"},
		{name: "verify", help: "Verify if the reassignment completed as specified by the --reassignment-json-file option. " +
			"If there is a throttle engaged for the replicas specified, and the rebalance has completed, the throttle will be removed"},
		{name: "version", help: "Display Kafka version."},
	}
}

// electionTypes is the kind of an argument that names one of the two.
const electionTypes = "[PREFERRED,UNCLEAN]"

// electOptions is the command line of kafka-leader-election.
func electOptions() []jopt {
	return []jopt{
		{name: "admin.config", arg: required, kind: "String", argName: "config file", help: "(DEPRECATED) Configuration properties files to pass to the admin client. " +
			"This option will be removed in a future version. Use --command-config instead."},
		{name: "all-topic-partitions", help: "Perform election on all of the eligible topic partitions based on the type of election (see the --election-type flag). " +
			"Not allowed if --topic or --path-to-json-file is specified."},
		{name: "bootstrap-server", arg: required, kind: "String", argName: "host:port", help: "A hostname and port for the broker to connect to, in the form host:port. Multiple comma separated URLs can be given. REQUIRED."},
		{name: "command-config", arg: required, kind: "String", argName: "Config file", help: "Config properties file to pass to the admin client."},
		{name: "election-type", arg: required, kind: electionTypes, argName: "election type", help: "Type of election to attempt. Possible values are \"preferred\" for preferred leader election " +
			"or \"unclean\" for unclean leader election. If preferred election is selection, the election is only performed if the current leader is not the preferred leader for the topic partition. " +
			"If unclean election is selected, the election is only performed if there are no leader for the topic partition. REQUIRED."},
		{name: "help", help: "Print usage information."},
		{name: "partition", arg: required, kind: "Integer", argName: "partition id", help: "Partition id for which to perform an election. REQUIRED if --topic is specified."},
		{name: "path-to-json-file", arg: required, kind: "String", argName: "Path to JSON file", help: "The JSON file with the list  of partition for which leader elections should be performed. This is an example format. \n" +
			"{\"partitions\":\n\t[{\"topic\": \"foo\", \"partition\": 1},\n\t {\"topic\": \"foobar\", \"partition\": 2}]\n}\n" +
			"Not allowed if --all-topic-partitions or --topic flags are specified."},
		{name: "topic", arg: required, kind: "String", argName: "topic name", help: "Name of topic for which to perform an election. Not allowed if --path-to-json-file or --all-topic-partitions is specified."},
		{name: "version", help: "Display Kafka version."},
	}
}

// logDirsOptions is the command line of kafka-log-dirs.
func logDirsOptions() []jopt {
	return []jopt{
		{name: "bootstrap-server", arg: required, kind: "String", argName: "The server(s) to use for bootstrapping", help: "REQUIRED: the server(s) to use for bootstrapping"},
		{name: "broker-list", arg: required, kind: "String", argName: "Broker list", def: " ", help: "The list of brokers to be queried in the form \"0,1,2\". All brokers in the cluster will be queried if no broker list is specified"},
		{name: "command-config", arg: required, kind: "String", argName: "Admin client property file", help: "Property file containing configs to be passed to Admin Client."},
		{name: "describe", help: "Describe the specified log directories on the specified brokers."},
		{name: "help", help: "Print usage information."},
		{name: "topic-list", arg: required, kind: "String", argName: "Topic list", def: " ", help: "The list of topics to be queried in the form \"topic1,topic2,topic3\". All topics will be queried if no topic list is specified"},
		{name: "version", help: "Display Kafka version."},
	}
}
