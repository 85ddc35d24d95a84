package cli

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kafka's newer tools read their command line with argparse4j: options of the
// tool, one command, options of the command. Their help is in argp/, as they
// print it.

//go:embed argp/*.txt
var argpHelp embed.FS

// argTool is one of them.
type argTool struct {
	name     string
	global   []argOpt
	commands []argCommand
	// plain tools print an error without the usage.
	plain bool
}

type argCommand struct {
	name string
	opts []argOpt
	run  func(e *Env, set *jset) error
}

type argOpt struct {
	names    []string // the long one first: that is its name in a set
	flag     bool
	required bool
	oneOf    bool // one of those of its command that say so must be given
	integer  bool
}

func opt(names string, with ...func(*argOpt)) argOpt {
	o := argOpt{names: strings.Split(names, "/")}
	for _, w := range with {
		w(&o)
	}
	return o
}

func aFlag(o *argOpt)     { o.flag = true }
func mandatory(o *argOpt) { o.required = true }
func oneOf(o *argOpt)     { o.oneOf = true }
func integer(o *argOpt)   { o.integer = true }

// argError is a command line that argparse4j would refuse.
type argError struct{ command, text string }

func (e *argError) Error() string { return e.text }

// help is what the tool prints for --help, of itself or of a command.
func (t argTool) help(command string) string {
	text, _ := argpHelp.ReadFile("argp/" + t.name + ".txt") // embedded: it is there
	for _, part := range strings.Split("\n"+string(text), "\n=== ") {
		if head, body, ok := strings.Cut(part, "\n"); ok && strings.TrimSpace(head) == command && part != "" {
			return strings.TrimRight(body, "\n") + "\n"
		}
	}
	return ""
}

func (t argTool) usage(command string) string {
	text, _, _ := strings.Cut(t.help(command), "\n\n")
	return text + "\n"
}

// parse reads a command line. help says that it was asked for.
func (t argTool) parse(args []string) (cmd argCommand, set *jset, help bool, err error) {
	set = &jset{values: map[string][]string{}}
	opts := t.global
	for i := 0; i < len(args); i++ {
		word, value, assigned := strings.Cut(args[i], "=")
		at := slices.IndexFunc(opts, func(o argOpt) bool { return slices.Contains(o.names, word) })
		switch {
		case word == "-h" || word == "--help":
			return cmd, set, true, nil
		case !strings.HasPrefix(word, "-") && cmd.name == "":
			if err := lacking(t.global, set); err != nil {
				return cmd, set, false, &argError{"", err.Error()}
			}
			j := slices.IndexFunc(t.commands, func(c argCommand) bool { return c.name == args[i] })
			if j < 0 {
				return cmd, set, false, &argError{"", fmt.Sprintf("invalid choice: '%s' (choose from '%s')", args[i], strings.Join(t.names(), "', '"))}
			}
			cmd, opts = t.commands[j], t.commands[j].opts
		case at < 0:
			return cmd, set, false, &argError{cmd.name, fmt.Sprintf("unrecognized arguments: '%s'", args[i])}
		default:
			o := opts[at]
			if !o.flag && !assigned {
				if i++; i == len(args) || strings.HasPrefix(args[i], "--") {
					return cmd, set, false, &argError{cmd.name, fmt.Sprintf("argument %s: expected one argument", strings.Join(o.names, "/"))}
				}
				value = args[i]
			}
			if err := o.check(value); err != nil {
				return cmd, set, false, &argError{cmd.name, err.Error()}
			}
			name := strings.TrimPrefix(o.names[0], "--")
			set.values[name] = append(set.values[name], value)
			set.order = append(set.order, name)
		}
	}
	if cmd.name == "" {
		return cmd, set, false, &argError{"", "too few arguments"}
	}
	if err := lacking(opts, set); err != nil {
		return cmd, set, false, &argError{cmd.name, err.Error()}
	}
	return cmd, set, false, nil
}

func (t argTool) names() (names []string) {
	for _, c := range t.commands {
		names = append(names, c.name)
	}
	return names
}

func (o argOpt) check(value string) error {
	if o.integer {
		if _, err := parseInt32(value); err != nil {
			return fmt.Errorf(`argument %s: could not convert '%s' to Integer (For input string: "%s")`, strings.Join(o.names, "/"), value, value)
		}
	}
	return nil
}

// lacking says which option has to be given yet.
func lacking(opts []argOpt, set *jset) error {
	var group []string
	given := 0
	for _, o := range opts {
		has := set.has(strings.TrimPrefix(o.names[0], "--"))
		if o.required && !has {
			return fmt.Errorf("argument %s is required", strings.Join(o.names, "/"))
		}
		if o.oneOf {
			group = append(group, strings.Join(o.names, "/"))
			if has {
				given++
			}
		}
	}
	switch {
	case len(group) > 0 && given == 0:
		return fmt.Errorf("one of the arguments %s is required", strings.Join(group, " "))
	case given > 1:
		return fmt.Errorf("argument %s: not allowed with argument %s", group[1], group[0])
	}
	return nil
}

// main runs the tool; failed prints what a command could not do.
func (t argTool) main(e *Env, args []string, helpCode int, failed func(error)) int {
	cmd, set, help, err := t.parse(args)
	switch {
	case help:
		fmt.Fprint(e.Out, t.help(cmd.name))
		return helpCode
	case err != nil && t.plain:
		fmt.Fprintf(e.Err, "Command line error: %s. Type --help for help.", err)
		return 1
	case err != nil:
		at := err.(*argError).command
		fmt.Fprintf(e.Err, "%s%s: error: %s\n", t.usage(at), t.name, err)
		return 1
	}
	return ended(cmd.run(e, set), failed)
}

func parseInt32(text string) (int32, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	return int32(n), err
}
