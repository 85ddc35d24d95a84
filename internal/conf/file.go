package conf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

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
