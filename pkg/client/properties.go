package client

import (
	"fmt"
	"os"
	"sort"
	"strings"

	javaprops "github.com/magiconair/properties"
)

// Properties are settings by their Java names.
type Properties map[string]string

// LoadProperties reads a Java property file: = or : or space between key and
// value, # and ! comments, \ continuation, \uXXXX.
func LoadProperties(file string) (Properties, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("property file: %w", err)
	}
	return ParseProperties(text, file)
}

// ParseProperties reads the text of a property file; name is for errors.
func ParseProperties(text []byte, name string) (Properties, error) {
	l := javaprops.Loader{Encoding: javaprops.UTF8, DisableExpansion: true}
	p, err := l.LoadBytes(text)
	if err != nil {
		return nil, fmt.Errorf("property file %s: %w", name, err)
	}
	return Properties(p.Map()), nil
}

// Set adds key=value pairs as a command line gives them (a list a=1,b=2 is one
// pair whose value holds a comma, as in Kafka's tools).
func (p Properties) Set(pairs ...string) error {
	for _, pair := range pairs {
		k, v, found := strings.Cut(pair, "=")
		if !found || strings.TrimSpace(k) == "" {
			return fmt.Errorf("property %q is not of the form key=value", pair)
		}
		p[strings.TrimSpace(k)] = v
	}
	return nil
}

// sorted lists the keys, so that errors and warnings come in one order.
func (p Properties) sorted() []string {
	keys := make([]string, 0, len(p))
	for k := range p {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// jaas takes user and password from a line as
//
//	org.apache.kafka.common.security.scram.ScramLoginModule required username="app" password="secret";
func jaas(line string) (user, password string, err error) {
	user, okUser := jaasValue(line, "username")
	password, okPassword := jaasValue(line, "password")
	if !okUser || !okPassword {
		return "", "", fmt.Errorf(`sasl.jaas.config needs username="…" and password="…"`)
	}
	return user, password, nil
}

func jaasValue(line, key string) (string, bool) {
	for rest := line; ; {
		i := strings.Index(rest, key)
		if i < 0 {
			return "", false
		}
		before := i == 0 || strings.ContainsRune(" \t\n", rune(rest[i-1]))
		after := strings.TrimLeft(rest[i+len(key):], " \t")
		if !before || !strings.HasPrefix(after, "=") {
			rest = rest[i+len(key):]
			continue
		}
		return unquote(strings.TrimLeft(after[1:], " \t"))
	}
}

// unquote reads a "…" or '…' with \ escapes, or a bare word.
func unquote(s string) (string, bool) {
	if s == "" {
		return "", false
	}
	quote := s[0]
	if quote != '"' && quote != '\'' {
		return strings.FieldsFunc(s+" ", func(r rune) bool { return r == ' ' || r == '\t' || r == ';' })[0], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == quote:
			ends := i+1 == len(s) || strings.ContainsRune(" \t\n;", rune(s[i+1]))
			return b.String(), ends
		default:
			b.WriteByte(s[i])
		}
	}
	return "", false
}
