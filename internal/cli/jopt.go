package cli

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// jopt is one option of a Kafka tool, as joptsimple (Java) knows it.
type jopt struct {
	name    string
	arg     argRule
	kind    string // String, Integer, Long: of the argument
	argName string // what the help calls the argument
	def     string // a blank: the default is the empty text, and the help says so
	help    string
	alias   string // another option that this spelling stands for; not in the help
	must    bool   // joptsimple itself asks for it, and marks it in the help
}

type argRule uint8

const (
	none argRule = iota
	required
	optional
)

// jset is what a command line said.
type jset struct {
	values map[string][]string // by option name; an option without argument has one ""
	order  []string            // option names in order of appearance
	rest   []string            // what is no option
}

// joptError is a command line that joptsimple would refuse, in its words.
type joptError struct {
	class string // of joptsimple
	text  string
}

func (e *joptError) Error() string { return e.text }

// badValue is an argument of the wrong kind.
type badValue struct{ value, option string }

func (b *badValue) Error() string {
	return fmt.Sprintf("Cannot parse argument '%s' of option %s", b.value, b.option)
}

func joptErrorf(class, format string, args ...any) error {
	return &joptError{class, fmt.Sprintf(format, args...)}
}

// uncaught ends a tool that does not catch what joptsimple throws.
func uncaught(e *Env, err error) int {
	text := err.Error()
	var refused *joptError
	if errors.As(err, &refused) {
		text = "joptsimple." + refused.class + ": " + text
	}
	fmt.Fprintln(e.Err, `Exception in thread "main" `+text)
	return 1
}

// parseJopt reads args: options in any order, --opt value, --opt=value, unique
// abbreviations, -- ends the options.
func parseJopt(table []jopt, args []string) (*jset, error) {
	set := &jset{values: map[string][]string{}}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			set.rest = append(set.rest, args[i+1:]...)
			break
		}
		if !looksLikeOption(a) {
			set.rest = append(set.rest, a)
			continue
		}
		name, value, glued := strings.Cut(strings.TrimLeft(a, "-"), "=")
		o, err := findJopt(table, name)
		if err != nil {
			return nil, err
		}
		if o.arg != none && !glued && i+1 < len(args) && !(looksLikeOption(args[i+1]) && (o.arg == optional || isJopt(table, args[i+1]))) {
			i++
			value, glued = args[i], true
		}
		if err := set.add(o, value, glued); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// looksLikeOption: "-" alone and negative numbers' values are arguments only
// after an option that needs one.
func looksLikeOption(a string) bool { return len(a) > 1 && a[0] == '-' }

func isJopt(table []jopt, a string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
	_, err := findJopt(table, name)
	return err == nil
}

func findJopt(table []jopt, name string) (jopt, error) {
	var found []jopt
	for _, o := range table {
		if o.name == name {
			return o, nil
		}
		if strings.HasPrefix(o.name, name) {
			found = append(found, o)
		}
	}
	if len(found) > 1 && o1target(found) {
		found = found[:1]
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return jopt{}, joptErrorf("UnrecognizedOptionException", "%s is not a recognized option: it is short for %s", name, joinNames(found))
	}
	return jopt{}, joptErrorf("UnrecognizedOptionException", "%s is not a recognized option", name)
}

// o1target reports whether all candidates mean the same option.
func o1target(found []jopt) bool {
	for _, o := range found[1:] {
		if o.target() != found[0].target() {
			return false
		}
	}
	return true
}

func joinNames(options []jopt) string {
	names := make([]string, len(options))
	for i, o := range options {
		names[i] = "--" + o.name
	}
	return strings.Join(names, ", ")
}

// target is the name that the option's values are kept under.
func (o jopt) target() string {
	if o.alias != "" {
		return o.alias
	}
	return o.name
}

func (s *jset) add(o jopt, value string, given bool) error {
	if o.arg == required && !given {
		return joptErrorf("OptionMissingRequiredArgumentException", "Option %s requires an argument", o.name)
	}
	if o.arg == none && given {
		return joptErrorf("OptionException", "Option %s takes no argument", o.name)
	}
	if given && !fits(o.kind, value) {
		return &badValue{value, o.name}
	}
	s.values[o.target()] = append(s.values[o.target()], value)
	s.order = append(s.order, o.target())
	return nil
}

func fits(kind, value string) bool {
	var err error
	switch kind {
	case "Integer":
		_, err = strconv.ParseInt(value, 10, 32)
	case "Long":
		_, err = strconv.ParseInt(value, 10, 64)
	case electionTypes:
		return strings.EqualFold(value, "preferred") || strings.EqualFold(value, "unclean")
	}
	return err == nil
}

func (s *jset) has(name string) bool { return len(s.values[name]) > 0 }

// one is the value of an option given at most once: the last, or def.
func (s *jset) one(name, def string) string {
	if v := s.values[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return def
}

// number is one as a number; it has been checked by parseJopt.
func (s *jset) number(name string, def int64) int64 {
	if !s.has(name) {
		return def
	}
	n, err := strconv.ParseInt(s.one(name, ""), 10, 64)
	if err != nil {
		return def
	}
	return n
}

// joptHelp lays the options out as joptsimple does: two columns in 80
// characters, the left one no wider than 39.
func joptHelp(table []jopt) string {
	rows := [][2]string{{"Option", "Description"}, {"------", "-----------"}}
	for _, o := range table {
		if o.must {
			rows = [][2]string{{"Option (* = required)", "Description"}, {"---------------------", "-----------"}}
		}
	}
	sorted := append([]jopt(nil), table...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].name < sorted[j].name })
	for _, o := range sorted {
		if o.alias == "" {
			rows = append(rows, [2]string{o.left(), o.right()})
		}
	}
	return layout(rows)
}

func (o jopt) left() string {
	s := "--" + o.name
	if o.must {
		s = "* " + s
	}
	if o.arg == none {
		return s
	}
	indicator := o.kind
	if o.argName != "" {
		indicator += ": " + o.argName
	}
	if o.arg == optional {
		return s + " [" + indicator + "]"
	}
	return s + " <" + indicator + ">"
}

func (o jopt) right() string {
	if o.def == "" {
		return o.help
	}
	return strings.TrimSpace(o.help + " (default: " + strings.TrimSpace(o.def) + ")")
}
