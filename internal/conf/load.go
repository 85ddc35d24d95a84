package conf

import (
	"os"
	"slices"
	"strings"
)

// OriginKind orders the sources, the strongest first.
type OriginKind int8

const (
	FromFlag     OriginKind = iota // a command-line flag
	FromOverride                   // --override, --set
	FromEnv                        // BROKERD_*
	FromKafkaEnv                   // KAFKA_*, KAFKA_CFG_*, CLUSTER_ID
	FromFile
	FromDefault // nobody set it, or it was derived
)

// Origin is where a value came from; Where is fit for a message.
type Origin struct {
	Kind  OriginKind
	Where string // "server.properties:12", "env KAFKA_NODE_ID", "--listen"
}

// Flag is one setting from a command-line flag; Name is the flag as the user
// knows it, "--listen".
type Flag struct {
	Name, Key, Value string
	// Implied: the flag does not name the setting. That it outranks what somebody
	// wrote elsewhere is said.
	Implied bool
}

// Sources is everything that settings may come from.
type Sources struct {
	Files     []string // .properties, or YAML by the ending .yaml or .yml; later ones win
	Env       []string // as os.Environ gives it
	Overrides []string // key=value
	Flags     []Flag
	DataDir   string   // --data-dir; outranks log.dirs
	Allow     []string // keys of --allow-unsupported

	ReadFile func(string) ([]byte, error) // nil: os.ReadFile
	Hostname func() (string, error)       // the machine's full name; nil: os.Hostname
	Root     func() bool                  // whether we run as root; nil: by os.Geteuid
	Home     func() (string, error)       // nil: os.UserHomeDir
}

// setting is one value with its origin. secret values are never shown.
type setting struct {
	value  string
	origin Origin
	secret bool
}

// loader carries a Load through its phases: gather, check, resolve.
type loader struct {
	src    Sources
	env    env
	report *Report
	values map[string]setting
	broker *Broker

	unparsed bool // a listener could not be read: nothing can follow from them
}

// Load gathers the settings from all sources, checks every one of them, and
// resolves what follows from them together. The broker is usable only when the
// report has no error; all problems are in it at once.
func Load(src Sources) (*Broker, *Report) {
	l := &loader{src: src, env: newEnv(src.Env), report: &Report{}, values: map[string]setting{}}
	l.gather()
	l.substitute()
	l.check()
	l.broker = &Broker{values: l.values}
	l.assemble()
	return l.broker, l.report
}

// New is Load of nothing but the given values, for tests and programs that
// embed a broker.
func New(values map[string]string) (*Broker, error) {
	var src Sources
	for _, k := range sortedNames(values) {
		src.Flags = append(src.Flags, Flag{Name: k, Key: k, Value: values[k]})
	}
	b, report := Load(src)
	return b, report.Err()
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// gather takes the sources from the weakest to the strongest, so that a later
// one overwrites an earlier one.
func (l *loader) gather() {
	for _, f := range l.src.Files {
		l.file(f)
	}
	l.kafka(l.env)
	l.brokerd(l.env)
	for _, o := range l.src.Overrides {
		l.override(o)
	}
	for _, f := range l.src.Flags {
		if was, there := l.values[f.Key]; f.Implied && there && was.value != f.Value {
			l.report.warnf(Origin{FromFlag, f.Name}, f.Key, "%s=%s takes the place of %s", f.Key, f.Value, was.origin.Where)
		}
		l.strict(f.Key, f.Value, Origin{FromFlag, f.Name})
	}
	if l.src.DataDir != "" {
		l.set("log.dirs", l.src.DataDir, Origin{FromFlag, "--data-dir"})
	}
}

func (l *loader) readFile(path string) ([]byte, error) {
	if l.src.ReadFile != nil {
		return l.src.ReadFile(path)
	}
	return os.ReadFile(path)
}

func (l *loader) set(key, value string, at Origin) {
	l.values[key] = setting{value: value, origin: at}
}

// strict sets a key that somebody typed just now: an unknown one is an error.
func (l *loader) strict(key, value string, at Origin) {
	if !l.knows(key) {
		l.report.add(Problem{Error, at.Where, key, "unknown key " + key, didYouMean(key, BrokerKeys())})
		return
	}
	l.set(key, value, at)
}

func (l *loader) override(kv string) {
	key, value, ok := strings.Cut(kv, "=")
	if key = trim(key); !ok || key == "" {
		l.report.errorf(Origin{Where: "--override"}, "", "%q is not key=value", kv)
		return
	}
	l.strict(key, trim(value), Origin{FromOverride, "--override"})
}

// knows tells whether a key is in the table or in a family that is accepted.
func (l *loader) knows(key string) bool {
	_, ok := brokerKeyOf(key)
	return ok || familyOf(key) != nil
}

// brokerKeyOf finds the key that rules a name: the key itself, or behind
// listener.name.NAME. (and a mechanism) the one whose name the rest is.
func brokerKeyOf(name string) (*Key, bool) {
	if k, ok := BrokerKey(name); ok {
		return k, true
	}
	rest, ok := strings.CutPrefix(name, "listener.name.")
	if !ok {
		return nil, false
	}
	_, rest, _ = strings.Cut(rest, ".")
	for rest != "" {
		if k, ok := BrokerKey(rest); ok {
			return k, true
		}
		_, rest, _ = strings.Cut(rest, ".")
	}
	return nil, false
}

func familyOf(name string) *prefix {
	for i, p := range acceptedPrefixes {
		if strings.HasPrefix(name, p.name) {
			return &acceptedPrefixes[i]
		}
	}
	return nil
}
