package conf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
type Flag struct{ Name, Key, Value string }

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

func (l *loader) file(path string) {
	data, err := l.readFile(path)
	if err != nil {
		hint := "give the path of a .properties or .yaml file"
		if !errors.Is(err, os.ErrNotExist) {
			hint = ""
		}
		l.report.add(Problem{Severity: Error, Where: path, Text: "cannot be read: " + pathless(err), Hint: hint})
		return
	}
	parse := parseProperties
	if ext := strings.ToLower(filepath.Ext(path)); ext == ".yaml" || ext == ".yml" {
		parse = parseYAML
	}
	props, errs := parse(data)
	name := filepath.Base(path)
	for _, e := range errs {
		l.report.errorf(at(name, e.line), "", "%s", e.text)
	}
	l.entries(name, props)
}

// pathless is an error without the path that the message already begins with.
func pathless(err error) string {
	if pe := (*os.PathError)(nil); errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

func at(file string, line int) Origin {
	if line == 0 {
		return Origin{FromFile, file}
	}
	return Origin{FromFile, fmt.Sprintf("%s:%d", file, line)}
}

func (l *loader) entries(name string, props []property) {
	unknown := l.unknownPolicy(props)
	lines := map[string]int{}
	for _, p := range props {
		where := at(name, p.line)
		if first, again := lines[p.key]; again {
			l.report.warnf(where, p.key, "%s is set a second time (first in line %d); the last one counts", p.key, first)
		}
		lines[p.key] = p.line
		if p.comment != "" {
			l.report.add(Problem{Warning, where.Where, p.key, fmt.Sprintf("%s: took %q for a comment behind the value", p.key, shorten(p.comment)),
				"a comment belongs on a line of its own; write \\# for a # in the value"})
		}
		if !l.knows(p.key) {
			l.unknown(unknown, p.key, where)
			continue
		}
		l.set(p.key, p.value, where)
	}
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:39]) + "…"
	}
	return s
}

// unknownPolicy is config.unknown, from wherever it is set strongest.
func (l *loader) unknownPolicy(props []property) string {
	policy := "warn"
	for _, p := range props {
		if p.key == "config.unknown" {
			policy = trim(p.value)
		}
	}
	if v, ok := l.env.vars["KAFKA_CONFIG_UNKNOWN"]; ok {
		policy = v
	}
	if v, ok := l.env.vars["BROKERD_CONFIG_UNKNOWN"]; ok {
		policy = v
	}
	for _, o := range l.src.Overrides {
		if v, ok := strings.CutPrefix(o, "config.unknown="); ok {
			policy = trim(v)
		}
	}
	for _, f := range l.src.Flags {
		if f.Key == "config.unknown" {
			policy = trim(f.Value)
		}
	}
	return policy
}

func (l *loader) unknown(policy, key string, at Origin) {
	l.report.Unknown++
	hint := didYouMean(key, BrokerKeys())
	if _, ok := TopicKey(key); ok && hint == "" {
		hint = "it is a key of topics" + topicHint(key)
	}
	switch policy {
	case "ignore":
	case "error":
		l.report.add(Problem{Error, at.Where, key, "unknown key " + key, hint})
	default:
		l.report.add(Problem{Warning, at.Where, key, "unknown key " + key + ", ignored", hint})
	}
}

// topicHint names the broker key that stands for a topic key.
func topicHint(key string) string {
	if k, ok := TopicKey(key); ok && len(k.From) > 0 {
		return "; for all topics write " + k.From[0].Name
	}
	return ""
}

// substitute resolves references to secrets, in every value from this machine.
func (l *loader) substitute() {
	for _, key := range sortedNames(l.values) {
		s := l.values[key]
		v, secret, err := l.resolve(s.value)
		if err != nil {
			l.report.errorf(s.origin, key, "%v", err)
			continue
		}
		s.value, s.secret = v, secret
		l.values[key] = s
	}
}

// check tries every value against its key and drops the bad ones, so that what
// follows works with values that parse.
func (l *loader) check() {
	for _, key := range sortedNames(l.values) {
		k, ok := brokerKeyOf(key)
		if !ok {
			continue
		}
		s := l.values[key]
		if optionalEmpty(k, s.value) {
			delete(l.values, key)
			continue
		}
		if err := k.Check(s.value); err != nil {
			l.report.add(Problem{Error, s.origin.Where, key, maskSecret(err.Error(), s, k), k.allowed()})
			delete(l.values, key)
			continue
		}
		l.refuse(k, key, s)
	}
}

// optionalEmpty tells whether an empty value of a key means that it is not set:
// KEY= in a compose file for a number or a class.
func optionalEmpty(k *Key, v string) bool {
	return trim(v) == "" && k.Null && k.Type != String && k.Type != Password && k.Type != List
}

func maskSecret(text string, s setting, k *Key) string {
	if (s.secret || k.Sensitive()) && s.value != "" {
		return strings.ReplaceAll(text, s.value, "[hidden]")
	}
	return text
}

// allowed says which values a key takes and which it has by default.
func (k *Key) allowed() string {
	var parts []string
	if k.Range() != "" {
		parts = append(parts, "allowed "+k.Range())
	}
	if !k.Null {
		parts = append(parts, "default "+quoteEmpty(k.Default))
	}
	return strings.Join(parts, ", ")
}

func quoteEmpty(s string) string {
	if s == "" {
		return "empty"
	}
	return s
}

func (l *loader) refuse(k *Key, key string, s setting) {
	if k.refuse == nil {
		return
	}
	why := k.refuse(s.value)
	if why == "" {
		return
	}
	if slices.Contains(l.src.Allow, key) {
		l.report.warnf(s.origin, key, "%s=%s is ignored, as --allow-unsupported asks: %s", key, s.value, why)
		return
	}
	l.report.add(Problem{Error, s.origin.Where, key, fmt.Sprintf("%s=%s is refused: %s", key, s.value, why),
		"remove it, or start with --allow-unsupported " + key})
}
