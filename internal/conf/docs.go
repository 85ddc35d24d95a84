package conf

import (
	"fmt"
	"strings"
)

//go:generate go test -run TestDocs -update .

// chapters are the parts of the page docs/configuration.md, in its order.
func chapters() []struct {
	title string
	keys  []Key
} {
	return []struct {
		title string
		keys  []Key
	}{
		{"Topics", topicTable},
		{"Groups, each of its own", groupTable},
		{"Keys of our own", ownKeys},
		{"Node, listeners, controllers", nodeKeys},
		{"Connections and requests", netKeys},
		{"Logs", logKeys},
		{"Replication", replicaKeys},
		{"Throttles", throttleKeys},
		{"Groups and offsets", groupKeys},
		{"Share groups", shareKeys},
		{"Transactions", txnKeys},
		{"TLS, authorization, tokens", securityKeys},
		{"SASL", saslKeys},
		{"Metrics and quotas", opsKeys},
		{"Tiered storage", remoteKeys},
		{"Keys of older files", legacyKeys},
	}
}

// needed are the keys that an operator may have to set; the rest has defaults
// that fit.
var needed = []string{
	"node.id", "process.roles", "listeners", "advertised.listeners", "controller.quorum.voters",
	"controller.quorum.bootstrap.servers", "controller.listener.names", "inter.broker.listener.name",
	"listener.security.protocol.map", "log.dirs", "broker.rack", "http.address", "durability",
	"num.partitions", "default.replication.factor", "min.insync.replicas", "auto.create.topics.enable",
	"message.max.bytes", "log.retention.hours", "log.retention.bytes", "log.segment.bytes",
	"max.connections", "max.connections.per.ip", "num.recovery.threads.per.data.dir", "cluster.id",
	"config.unknown",
}

const docsIntro = `# Configuration

<!-- Generated from the table in internal/conf by go generate ./internal/conf. Do not edit. -->

brokerd takes Apache Kafka's keys, with Kafka's defaults unless a key says "Kafka:".
Nothing has to be set: ` + "`brokerd server`" + ` alone starts a node that only this machine can reach.

## Where settings come from

The highest that sets a key wins:

1. command-line flags (` + "`--data-dir`" + `, ` + "`--listen`" + ` …)
2. ` + "`--override key=value`" + `
3. environment ` + "`BROKERD_*`" + `: ` + "`BROKERD_NUM_PARTITIONS=3`" + ` (` + "`_`" + ` is a dot, ` + "`__`" + ` an underscore, ` + "`___`" + ` a hyphen)
4. environment ` + "`KAFKA_*`" + ` and ` + "`KAFKA_CFG_*`" + `, spelt the same way, and ` + "`CLUSTER_ID`" + `; only known keys are taken
5. files: ` + "`.properties`" + ` or YAML (flat or nested); of several, the later one
6. defaults

Settings changed at run time (` + "`brokerd configs alter`" + `) outrank all of these for the keys that say
"changes".

The data directory is ` + "`--data-dir`" + `, else ` + "`log.dirs`" + `, else ` + "`BROKERD_DATA_DIR`" + `, else systemd's ` + "`STATE_DIRECTORY`" + `,
else ` + "`/var/lib/brokerd`" + ` for root and ` + "`$XDG_STATE_HOME/brokerd`" + ` (` + "`~/.local/state/brokerd`" + `) for others.

In ` + "`.properties`" + ` Java's rules hold, except that ` + "` #…`" + ` behind a value is a comment (with a warning);
write ` + "`\\#`" + ` for a # in a value. ` + "`${env:NAME}`, `${file:PATH:KEY}` and `${dir:PATH:NAME}`" + ` stand for secrets
kept elsewhere. An unknown key is an error on the command line and a warning in a file, with the
nearest known key; ` + "`config.unknown=error`" + ` makes it an error there too.

A file of the time of ZooKeeper works: ` + "`zookeeper.connect`" + ` without ` + "`process.roles`" + ` means broker and
controller in one; one host is a single node, several are taken as controllers at port 9093.

Keys marked neither way change what the broker does, *accepted* ones are checked and have no
effect, *refused* ones stop a start when their value cannot be ignored safely
(` + "`--allow-unsupported KEY`" + ` overrides that).
`

// Page is docs/configuration.md.
func Page() string {
	var w strings.Builder
	w.WriteString(docsIntro)
	w.WriteString("\n## You may need these\n\n| Key | Default | What it is |\n|---|---|---|\n")
	for _, name := range needed {
		k, _ := BrokerKey(name)
		fmt.Fprintf(&w, "| `%s` | %s | %s |\n", k.Name, k.shownDefault(), cell(k.Doc))
	}
	for _, c := range chapters() {
		title := fmt.Sprintf("\n## %s\n", c.title) // none of its own for keys that are all hidden
		for i := range c.keys {
			if !c.keys[i].Hidden {
				w.WriteString(title)
				c.keys[i].document(&w)
				title = ""
			}
		}
	}
	w.WriteString("\n## Listed only when set\n\nKeys that Kafka keeps for its own insides, and those that exist as dynamic settings only.\n")
	for _, c := range chapters() {
		for i := range c.keys {
			if c.keys[i].Hidden {
				c.keys[i].document(&w)
			}
		}
	}
	w.WriteString("\n## Families\n\nKeys that begin with these words are taken as a whole:\n\n")
	for _, p := range acceptedPrefixes {
		fmt.Fprintf(&w, "- `%s*`: %s\n", p.name, p.doc)
	}
	return w.String()
}

func (k *Key) document(w *strings.Builder) {
	fmt.Fprintf(w, "\n**`%s`** · %s", k.Name, strings.ToLower(k.Type.String()))
	if !k.Null {
		fmt.Fprintf(w, " · default %s", k.shownDefault())
	}
	if k.Kafka != "" {
		fmt.Fprintf(w, " (Kafka: `%s`)", k.Kafka)
	}
	if k.Range() != "" {
		fmt.Fprintf(w, " · `%s`", k.Range())
	}
	switch {
	case k.Scope == Cluster:
		w.WriteString(" · changes for a broker or the cluster")
	case k.Scope == PerBroker:
		w.WriteString(" · changes for a broker")
	}
	if k.Status != Applied {
		fmt.Fprintf(w, " · *%s*", k.Status)
	}
	fmt.Fprintf(w, "  \n%s", k.Doc)
	if len(k.From) > 0 {
		var names []string
		for _, l := range k.From {
			names = append(names, "`"+l.Name+"`")
		}
		fmt.Fprintf(w, " Broker key: %s.", strings.Join(names, ", "))
	}
	w.WriteByte('\n')
}

func (k *Key) shownDefault() string {
	switch {
	case k.Null:
		return ""
	case k.Default == "":
		return "empty"
	}
	return "`" + k.Default + "`"
}

// cell keeps a text inside one cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
