package conf

import (
	"path"
	"slices"
	"strings"
)

// excludedEnv are the KAFKA_ variables that the official image keeps for itself.
var excludedEnv = []string{
	"KAFKA_VERSION", "KAFKA_HEAP_OPTS", "KAFKA_LOG4J_OPTS", "KAFKA_OPTS", "KAFKA_JMX_OPTS",
	"KAFKA_JVM_PERFORMANCE_OPTS", "KAFKA_GC_LOG_OPTS", "KAFKA_LOG4J_ROOT_LOGLEVEL",
	"KAFKA_LOG4J_LOGGERS", "KAFKA_TOOLS_LOG4J_LOGLEVEL", "KAFKA_JMX_HOSTNAME",
}

// ownEnv are the BROKERD_ variables that are not settings of the broker: the
// data directory has its own rule, the rest belongs to the command line.
var ownEnv = []string{
	"BROKERD_DATA_DIR", "BROKERD_CONFIG", "BROKERD_PROFILE", "BROKERD_BOOTSTRAP", "BROKERD_BOOTSTRAP_SERVER",
	"BROKERD_BOOTSTRAP_SERVERS", "BROKERD_COMMAND_CONFIG", "BROKERD_LOG_LEVEL", "BROKERD_LOG_FORMAT",
}

// envKey turns a variable's rest into a key by the official image's rule:
// three underscores are a hyphen, two an underscore, one a dot.
func envKey(rest string) string {
	s := strings.ToLower(rest)
	s = strings.ReplaceAll(s, "___", "-")
	s = strings.ReplaceAll(s, "__", "\x00")
	s = strings.ReplaceAll(s, "_", ".")
	return strings.ReplaceAll(s, "\x00", "_")
}

// serviceLink tells whether Kubernetes or Docker put the variable there for a
// service that happens to be called kafka or brokerd.
func serviceLink(name, value string) bool {
	return strings.HasSuffix(name, "_SERVICE_HOST") || strings.Contains(name, "_SERVICE_PORT") ||
		strings.Contains(name, "_PORT_") && (strings.Contains(name, "_TCP") || strings.Contains(name, "_UDP")) ||
		strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://")
}

// env is the environment, taken apart.
type env struct {
	vars  map[string]string
	names []string // sorted
}

func newEnv(environ []string) env {
	e := env{vars: make(map[string]string, len(environ))}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if _, again := e.vars[name]; !again {
			e.names = append(e.names, name)
		}
		e.vars[name] = value
	}
	slices.Sort(e.names)
	return e
}

// kafka gathers the settings of KAFKA_CFG_*, KAFKA_* and CLUSTER_ID. Only known
// keys are taken: a KAFKA_ variable may be there for quite other reasons.
func (l *loader) kafka(e env) {
	for _, name := range e.names {
		rest, ours := strings.CutPrefix(name, "KAFKA_")
		value := e.vars[name]
		if !ours || rest == "" || slices.Contains(excludedEnv, name) || serviceLink(name, value) {
			continue
		}
		rest = strings.TrimPrefix(rest, "CFG_")
		if key := envKey(rest); l.knows(key) {
			l.set(key, value, Origin{FromKafkaEnv, "env " + name})
		}
	}
	for _, name := range []string{"KAFKA_KRAFT_CLUSTER_ID", "CLUSTER_ID"} {
		if v := e.vars[name]; v != "" {
			l.set("cluster.id", v, Origin{FromKafkaEnv, "env " + name})
		}
	}
	l.secretsDir(e)
}

// secretFiles are the official image's names for files in its secrets directory.
var secretFiles = []struct {
	env, key string
	content  bool // the key takes what the file holds, not its path
}{
	{"KAFKA_SSL_KEYSTORE_FILENAME", "ssl.keystore.location", false},
	{"KAFKA_SSL_KEYSTORE_CREDENTIALS", "ssl.keystore.password", true},
	{"KAFKA_SSL_KEY_CREDENTIALS", "ssl.key.password", true},
	{"KAFKA_SSL_TRUSTSTORE_FILENAME", "ssl.truststore.location", false},
	{"KAFKA_SSL_TRUSTSTORE_CREDENTIALS", "ssl.truststore.password", true},
}

const imageSecrets = "/etc/kafka/secrets"

func (l *loader) secretsDir(e env) {
	for _, s := range secretFiles {
		file := e.vars[s.env]
		if file == "" {
			continue
		}
		at := Origin{FromKafkaEnv, "env " + s.env}
		value := path.Join(imageSecrets, file)
		if s.content {
			data, err := l.readFile(value)
			if err != nil {
				l.report.errorf(at, s.key, "cannot be read: %v", err)
				continue
			}
			value = strings.TrimSpace(string(data))
		}
		l.set(s.key, value, at)
	}
}

// brokerd gathers the settings of BROKERD_*, where an unknown one is a mistake.
func (l *loader) brokerd(e env) {
	for _, name := range e.names {
		rest, ours := strings.CutPrefix(name, "BROKERD_")
		value := e.vars[name]
		if !ours || rest == "" || slices.Contains(ownEnv, name) || serviceLink(name, value) {
			continue
		}
		at := Origin{FromEnv, "env " + name}
		key := envKey(rest)
		if !l.knows(key) {
			l.report.add(Problem{Warning, at.Where, key, "unknown key " + key + ", ignored", didYouMean(key, BrokerKeys())})
			continue
		}
		l.set(key, value, at)
	}
}
