package conf

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// check is a rule for values, with the text that Kafka's documentation gives it.
// fn is nil where every value goes.
type check struct {
	text string
	fn   func(key string, v value) error
}

func invalid(key string, v value, reason string) error {
	return &ValueError{key, v.print(), reason}
}

// required is a rule that Kafka's broker holds beside its table of keys, with the
// broker's own text.
func required(text string, ok func(n int64) bool) check {
	return check{"", func(key string, v value) error {
		if ok(v.num) {
			return nil
		}
		return fmt.Errorf("requirement failed: %s must be %s", key, text)
	}}
}

var (
	someAge    = required("unlimited (-1) or, greater than or equal to 1", func(n int64) bool { return n != 0 })
	someRoll   = required("greater than or equal to 1", func(n int64) bool { return n >= 1 })
	someJitter = required("greater than or equal to 0", func(n int64) bool { return n >= 0 })
)

// someFlush keeps from brokers what no topic would take; Kafka takes it, and
// fails with every change of a topic from then on.
var someFlush = check{"", func(key string, v value) error {
	if v.num < 0 {
		return invalid(key, v, "Value must be at least 0")
	}
	return nil
}}

// between limits a number to lo … hi, both included.
func between(lo, hi float64) check {
	text := "[" + bound(lo) + ",...," + bound(hi) + "]"
	if math.IsInf(hi, 1) {
		text = "[" + bound(lo) + ",...]"
	}
	return check{text, func(key string, v value) error {
		n := v.dbl
		if v.typ != Double {
			n = float64(v.num)
		}
		if !(n >= lo) { // NaN too, which Kafka lets pass
			return invalid(key, v, "Value must be at least "+bound(lo))
		}
		if n > hi {
			return invalid(key, v, "Value must be no more than "+bound(hi))
		}
		return nil
	}}
}

func atLeast(lo float64) check { return between(lo, math.Inf(1)) }

func bound(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// gzipLevel is 1 to 9, or -1 for the codec's own choice.
var gzipLevel = check{"[1,...,9] or -1", func(key string, v value) error {
	if v.num == -1 || v.num >= 1 && v.num <= 9 {
		return nil
	}
	return invalid(key, v, "Value must be between 1 and 9 or equal to -1")
}}

// oneOf takes exactly the given words.
func oneOf(words ...string) check {
	all := strings.Join(words, ", ")
	return check{"[" + all + "]", func(key string, v value) error {
		if slices.Contains(words, v.str) {
			return nil
		}
		return invalid(key, v, "String must be one of: "+all)
	}}
}

// oneOfFold takes the given words in any case.
func oneOfFold(words ...string) check {
	all := strings.Join(words, ", ")
	return check{"(case insensitive) [" + all + "]", func(key string, v value) error {
		if slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, v.str) }) {
			return nil
		}
		return invalid(key, v, "String must be one of (case insensitive): "+all)
	}}
}

// nonEmpty takes any text but an empty one.
var nonEmpty = check{"non-empty string", func(key string, v value) error {
	if v.str == "" {
		return invalid(key, v, "String must be non-empty")
	}
	return nil
}}

// listOf takes a list of the given words, which may be empty.
func listOf(words ...string) check {
	all := strings.Join(words, ", ")
	return check{"[" + all + "]", func(key string, v value) error {
		return checkList(key, v, words)
	}}
}

// someOf takes a list of at least one of the given words.
func someOf(words ...string) check {
	c := listOf(words...)
	return check{c.text, func(key string, v value) error {
		if len(v.list) == 0 {
			return fmt.Errorf("Configuration '%s' must not be empty. Valid values include: %s", key, c.text)
		}
		return c.fn(key, v)
	}}
}

// anyList takes any list without empty or repeated elements.
var anyList = check{"", func(key string, v value) error { return checkList(key, v, nil) }}

// someList is anyList with at least one element.
var someList = check{"", func(key string, v value) error {
	if len(v.list) == 0 {
		return fmt.Errorf("Configuration '%s' must not be empty. Valid values include: any non-empty value", key)
	}
	return checkList(key, v, nil)
}}

// checkList holds the rules that all lists have since Kafka 4.2; words limits
// the elements unless it is nil.
func checkList(key string, v value, words []string) error {
	seen := make(map[string]bool, len(v.list))
	for _, s := range v.list {
		if seen[s] {
			return fmt.Errorf("Configuration '%s' values must not be duplicated.", key)
		}
		seen[s] = true
	}
	for _, s := range v.list {
		if s == "" {
			return fmt.Errorf("Configuration '%s' values must not be empty.", key)
		}
		if words != nil && !slices.Contains(words, s) {
			return &ValueError{key, s, "String must be one of: " + strings.Join(words, ", ")}
		}
	}
	return nil
}

var throttled = regexp.MustCompile(`^([0-9]+:[0-9]+)?$`)

// throttledReplicas is a star or a list of partition:broker.
var throttledReplicas = check{"[partitionId]:[brokerId],[partitionId]:[brokerId],...", func(key string, v value) error {
	ok := len(v.list) == 1 && v.list[0] == "*"
	if ok || !slices.ContainsFunc(v.list, func(s string) bool { return !throttled.MatchString(s) }) {
		return nil
	}
	return &ValueError{key, "[" + strings.Join(v.list, ", ") + "]", key + " must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."}
}}

// voterList is controller.quorum.voters: id@host:port, comma between.
var voterList = check{"non-empty list", func(key string, v value) error {
	_, err := parseVoters(v.list)
	return err
}}

// serverList is a list of host:port.
var serverList = check{"non-empty list", func(key string, v value) error {
	for _, s := range v.list {
		if _, _, err := splitHostPort(s); err != nil {
			return fmt.Errorf("Failed to parse host name from %s for the configuration %s. Each entry should be in the form \"{host}:{port}\"", s, key)
		}
	}
	return nil
}}

// perIPCheck is max.connections.per.ip.overrides: address:number, comma between.
var perIPCheck = check{"", func(key string, v value) error {
	if _, err := parsePerIP(v.str); err != nil {
		return fmt.Errorf("Error parsing configuration property '%s': %w", key, err)
	}
	return nil
}}
