package conf

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// reference is ${env:NAME}, ${file:PATH:KEY} or ${dir:PATH:NAME}, Kafka's way of
// keeping secrets out of files; the three providers need no declaration here.
var reference = regexp.MustCompile(`\$\{(env|file|dir):([^}]*)\}`)

// resolve replaces the references in a value. secret tells that there was one,
// so that the result is never printed.
func (l *loader) resolve(value string) (out string, secret bool, err error) {
	if !strings.Contains(value, "${") {
		return value, false, nil
	}
	out = reference.ReplaceAllStringFunc(value, func(ref string) string {
		secret = true
		m := reference.FindStringSubmatch(ref)
		got, e := l.provide(m[1], m[2])
		if e != nil && err == nil {
			err = fmt.Errorf("%s: %w", ref, e)
		}
		return got
	})
	return out, secret, err
}

func (l *loader) provide(provider, arg string) (string, error) {
	if provider == "env" {
		v, ok := l.env.vars[arg]
		if !ok {
			return "", fmt.Errorf("the environment has no %s", arg)
		}
		return v, nil
	}
	path, name := cutLast(arg, ':')
	if path == "" || name == "" {
		return "", fmt.Errorf("expected ${%s:PATH:NAME}", provider)
	}
	if provider == "dir" {
		if name != filepath.Base(name) {
			return "", fmt.Errorf("%q is not the name of a file", name)
		}
		data, err := l.readFile(filepath.Join(path, name))
		return strings.TrimRight(string(data), "\r\n"), err
	}
	data, err := l.readFile(path)
	if err != nil {
		return "", err
	}
	props, _ := parseProperties(data)
	for _, p := range props {
		if p.key == name {
			return p.value, nil
		}
	}
	return "", fmt.Errorf("%s has no key %s", path, name)
}

func cutLast(s string, sep byte) (before, after string) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return "", s
	}
	return s[:i], s[i+1:]
}
