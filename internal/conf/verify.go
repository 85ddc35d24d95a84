package conf

import (
	"fmt"
	"slices"
	"strings"
)

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
