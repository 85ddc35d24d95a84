package conf

// ownKeys are ours; Kafka does not have them.
var ownKeys = []Key{
	{Name: "auto.format.storage", Type: Boolean, Default: "true", Own: true,
		Doc: "Whether an empty data directory is formatted at the first start; when false, run brokerd storage format first."},
	{Name: Draining, Type: Boolean, Default: "false", Own: true, Hidden: true, Scope: PerBroker,
		Doc: "Whether a broker is about to go, as brokerd node drain and decommission set it: no lead and, while there are others, no replica comes to it."},
	{Name: "cluster.id", Type: String, Null: true, Own: true, check: clusterID,
		Doc: "The id that a new cluster gets, usually 22 characters of base64url; not set, a random one."},
	{Name: "config.unknown", Type: String, Default: "warn", check: oneOf("warn", "error", "ignore"), Own: true,
		Doc: "What happens to unknown keys in files: warn, error or ignore."},
	{Name: "console.readonly", Type: Boolean, Default: "false", Own: true, Status: Accepted,
		Doc: "Whether the console may only look."},
	{Name: "debug.pprof", Type: Boolean, Default: "false", Own: true,
		Doc: "Whether the HTTP port serves profiles; on a loopback address it always does."},
	{Name: "durability", Type: String, Default: "fsync", check: oneOf("fsync", "isr"), Own: true, Scope: Cluster,
		Doc: "durability of topics that do not set it: fsync or isr."},
	{Name: "http.address", Type: String, Default: "127.0.0.1:9095", check: httpAddress, Own: true,
		Doc: "Address of metrics and health checks as host:port; off switches them off. Not set and taken, the next free port serves."},
	{Name: "log.scrub.interval.ms", Type: Long, Default: "604800000", check: atLeast(0), Own: true,
		Doc: "In which time every sealed segment in use is read once, at an even pace, and compared with what it was; a replica found damaged is fetched anew from another one. 0: never."},
	{Name: "metrics.compat", Type: String, Default: "kafka", check: oneOf("kafka", "none"), Own: true,
		Doc: "Whether metrics are also served under the names that Kafka dashboards read."},
	{Name: "metrics.partition.labels", Type: String, Default: "auto", check: oneOf("on", "off", "auto"), Own: true,
		Doc: "Whether there are metrics per partition; auto means below 2000 partitions."},
	{Name: "record.validation", Type: String, Default: "header", check: oneOf("header", "full"), Own: true, Scope: Cluster,
		Doc: "record.validation of topics that do not set it: header or full."},
	{Name: "slow.request.threshold.ms", Type: Long, Default: "1000", check: atLeast(0), Own: true,
		Doc: "Requests that take longer are logged; 0 logs none."},
	{Name: "tcp.congestion", Type: String, Null: true, Own: true, Status: Applied,
		Doc: "Congestion control of connections, as the system names it."},
	{Name: "topic.trash.retention.ms", Type: Long, Default: "0", check: atLeast(0), Own: true, Status: Refused, refuse: refuseTrash,
		Doc: "How long a deleted topic can be brought back."},
	{Name: "zookeeper.facade.port", Type: Int, Default: "0", check: between(0, 65535), Own: true, Status: Refused, refuse: refuseFacade,
		Doc: "Port of a read-only stand-in for ZooKeeper; 0 means none."},
	{Name: "allow.everyone.if.no.acl.found", Type: Boolean, Default: "false", Status: Accepted,
		Doc: "Kafka's authorizer: whether a resource without ACLs is open to everyone."},
	{Name: "super.users", Type: String, Status: Refused, refuse: refuseSuperUsers,
		Doc: "Kafka's authorizer: principals that may do everything, as User:name with semicolons between."},
}

// Draining is the setting of one broker that is about to go: it gets no lead and,
// while there are others, no replica.
const Draining = "broker.draining"

// throttleKeys are Kafka's that exist as dynamic settings only.
var throttleKeys = []Key{
	{Name: "leader.replication.throttled.rate", Type: Long, Default: "9223372036854775807", check: atLeast(0), Hidden: true, Scope: Cluster,
		Doc: "Bytes per second that a broker sends for throttled replicas to followers that are not in sync."},
	{Name: "follower.replication.throttled.rate", Type: Long, Default: "9223372036854775807", check: atLeast(0), Hidden: true, Scope: Cluster,
		Doc: "Bytes per second that a broker fetches for throttled replicas that are not in sync."},
	{Name: "replica.alter.log.dirs.io.max.bytes.per.second", Type: Long, Default: "9223372036854775807", check: atLeast(0), Hidden: true, Scope: Cluster,
		Doc: "Bytes per second that a broker copies, for all replicas together that move between its log directories."},
}

// legacyKeys were removed from Kafka; files that carry them still work.
var legacyKeys = []Key{
	{Name: "zookeeper.connect", Type: String, Null: true, Legacy: true,
		Doc: "Without process.roles: one host means a single node, several are taken as controller.quorum.bootstrap.servers at port 9093."},
	{Name: "zookeeper.metadata.migration.enable", Type: Boolean, Default: "false", Legacy: true, Status: Refused, refuse: refuseTrue("there is no ZooKeeper to migrate from here"),
		Doc: "Migration of metadata from ZooKeeper, which there is none of."},
	{Name: "inter.broker.protocol.version", Type: String, Null: true, Legacy: true, Status: Accepted,
		Doc: "Accepted; the feature level of the cluster decides."},
	{Name: "log.message.format.version", Type: String, Default: "3.0-IV1", Legacy: true, Status: Accepted,
		Doc: "Accepted; the log holds message format 2 only."},
	{Name: "log.message.downconversion.enable", Type: Boolean, Default: "true", Legacy: true, Status: Accepted,
		Doc: "Accepted; old clients are always served."},
	{Name: "log.message.timestamp.difference.max.ms", Type: Long, Default: "9223372036854775807", check: atLeast(0), Legacy: true,
		Doc: "message.timestamp.difference.max.ms of topics that do not set it."},
	{Name: "broker.id.generation.enable", Type: Boolean, Default: "true", Legacy: true, Status: Accepted,
		Doc: "Accepted; a node has the id that it is given."},
	{Name: "reserved.broker.max.id", Type: Int, Default: "1000", check: atLeast(0), Legacy: true, Status: Accepted,
		Doc: "Accepted; a node has the id that it is given."},
	{Name: "controlled.shutdown.max.retries", Type: Int, Default: "3", Legacy: true, Status: Accepted,
		Doc: "Accepted; a controlled shutdown has a time limit."},
	{Name: "controlled.shutdown.retry.backoff.ms", Type: Long, Default: "5000", Legacy: true, Status: Accepted,
		Doc: "Accepted; a controlled shutdown has a time limit."},
	{Name: "leader.imbalance.per.broker.percentage", Type: Int, Default: "10", Legacy: true, Status: Accepted,
		Doc: "Accepted; in no release since 4.3."},
	{Name: "offsets.commit.required.acks", Type: Short, Default: "-1", Legacy: true, Status: Accepted,
		Doc: "Accepted; offsets are always committed with acks=all."},
	{Name: "control.plane.listener.name", Type: String, Null: true, Legacy: true, Status: Accepted,
		Doc: "Accepted; the controller's listener is controller.listener.names."},
	{Name: "quota.producer.default", Type: Long, Default: "9223372036854775807", Legacy: true, Status: Accepted,
		Doc: "Accepted; quotas are dynamic."},
	{Name: "quota.consumer.default", Type: Long, Default: "9223372036854775807", Legacy: true, Status: Accepted,
		Doc: "Accepted; quotas are dynamic."},
	{Name: "sasl.mechanism", Type: String, Null: true, Legacy: true, Status: Accepted,
		Doc: "Accepted; a client's key that some broker files carry."},
	{Name: "security.protocol", Type: String, Null: true, Legacy: true, Status: Accepted,
		Doc: "Accepted; a client's key that some broker files carry."},
	{Name: "delegation.token.master.key", Type: Password, Null: true, Legacy: true, Status: Accepted,
		Doc: "Older name of delegation.token.secret.key."},
	{Name: "port", Type: Int, Null: true, Legacy: true, Status: Refused, refuse: refuseSet("write listeners=PLAINTEXT://:PORT instead"),
		Doc: "Removed from Kafka 3; see listeners."},
	{Name: "host.name", Type: String, Null: true, Legacy: true, Status: Refused, refuse: refuseSet("write listeners=PLAINTEXT://HOST:9092 instead"),
		Doc: "Removed from Kafka 3; see listeners."},
	{Name: "advertised.port", Type: Int, Null: true, Legacy: true, Status: Refused, refuse: refuseSet("write advertised.listeners=PLAINTEXT://HOST:PORT instead"),
		Doc: "Removed from Kafka 3; see advertised.listeners."},
	{Name: "advertised.host.name", Type: String, Null: true, Legacy: true, Status: Refused, refuse: refuseSet("write advertised.listeners=PLAINTEXT://HOST:9092 instead"),
		Doc: "Removed from Kafka 3; see advertised.listeners."},
}

// A prefix opens a family of keys that are taken as a whole.
type prefix struct {
	name, doc string
	sensitive bool
}

// acceptedPrefixes are families whose keys are not listed one by one.
var acceptedPrefixes = []prefix{
	{"listener.name.", "Settings of one listener; the rest of the name is an ordinary key.", true},
	{"zookeeper.", "Accepted; there is no ZooKeeper here.", false},
	{"confluent.", "Accepted; settings of another distribution.", false},
	{"password.encoder.", "Accepted; nothing is encoded for ZooKeeper.", true},
	{"metrics.", "Accepted; metrics are read from the HTTP port.", false},
	{"kafka.metrics.", "Accepted; metrics are read from the HTTP port.", false},
	{"config.providers.", "Accepted; the providers env, file and dir are always there.", false},
	{"rsm.config.", "Accepted; there is no tiered storage here.", true},
	{"rlmm.config.", "Accepted; there is no tiered storage here.", true},
	{"log4j.", "Accepted; logging is set by flags.", false},
}
