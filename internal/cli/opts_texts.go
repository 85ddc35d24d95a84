package cli

import "strings"

// What Kafka's tools say in more than one place of their help.

// topicSettings are the settings that a topic has.
var topicSettings = strings.Fields(`
	cleanup.policy compression.gzip.level compression.lz4.level compression.type compression.zstd.level delete.retention.ms file.delete.delay.ms
	flush.messages flush.ms follower.replication.throttled.replicas index.interval.bytes
	leader.replication.throttled.replicas local.retention.bytes local.retention.ms max.compaction.lag.ms max.message.bytes
	message.timestamp.after.max.ms message.timestamp.before.max.ms message.timestamp.type min.cleanable.dirty.ratio
	min.compaction.lag.ms min.insync.replicas preallocate remote.log.copy.disable remote.log.delete.on.disable
	remote.storage.enable retention.bytes retention.ms segment.bytes segment.index.bytes segment.jitter.ms segment.ms
	unclean.leader.election.enable`)

// listed gives each name a line of its own.
func listed(names []string) string { return "\t" + strings.Join(names, "\n\t") + "\n" }

const formatterHelp = " print.timestamp=true|false\n" +
	" print.key=true|false\n" +
	" print.offset=true|false\n" +
	" print.epoch=true|false\n" +
	" print.partition=true|false\n" +
	" print.headers=true|false\n" +
	" print.value=true|false\n" +
	" key.separator=<key.separator>\n" +
	" line.separator=<line.separator>\n" +
	" headers.separator=<headers.separator>\n" +
	" null.literal=<null.literal>\n" +
	" key.deserializer=<key.deserializer>\n" +
	" value.deserializer=<value.deserializer>\n" +
	" header.deserializer=<header.deserializer>\n" +
	"\n" +
	"Users can also pass in customized properties for their formatter; more specifically, users can pass " +
	"in properties keyed with 'key.deserializer.', 'value.deserializer.' and 'headers.deserializer.' " +
	"prefixes to configure their deserializers."

const readerHelp = "Default properties include:\n" +
	" parse.key=false\n" +
	" parse.headers=false\n" +
	" ignore.error=false\n" +
	" key.separator=\\t\n" +
	" headers.delimiter=\\t\n" +
	" headers.separator=,\n" +
	" headers.key.separator=:\n" +
	" null.marker=   When set, any fields (key, value and headers) equal to this will be replaced by " +
	"null\n" +
	"Default parsing pattern when:\n" +
	" parse.headers=true and parse.key=true:\n" +
	"  \"h1:v1,h2:v2...\\tkey\\tvalue\"\n" +
	" parse.key=true:\n" +
	"  \"key\\tvalue\"\n" +
	" parse.headers=true:\n" +
	"  \"h1:v1,h2:v2...\\tvalue\""
