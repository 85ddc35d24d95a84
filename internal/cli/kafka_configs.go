package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// entity is one --entity-type with its name: "" with named is the default.
type entity struct {
	kind  string // topics, clients, users, brokers, broker-loggers, ips, client-metrics, groups
	name  string
	named bool
}

func kafkaConfigs(e *Env, args []string) int {
	table := configsOptions()
	set, err := parseJopt(table, args)
	if err != nil {
		fmt.Fprintln(e.Err, err)
		return 1
	}
	if code, done := help(e, table, set, args, "This tool helps to manipulate and describe entity config for a topic, client, user, broker, ip, client-metrics or group"); done {
		return code
	}
	if noZooKeeper(e, set) {
		return 1
	}
	entities, wrong := checkConfigs(set)
	var u *usageError
	if errors.As(wrong, &u) {
		return usage(e, table, u.text)
	}
	if wrong != nil {
		fmt.Fprintln(e.Err, wrong)
		return 1
	}
	ctx, stop := interruptible()
	defer stop()
	err = runConfigs(ctx, e, set, entities)
	var illegal *illegalArgument
	switch {
	case err == nil:
		return 0
	case gone(err):
		return 1
	case errors.As(err, &illegal):
		fmt.Fprintln(e.Err, err)
	default:
		fmt.Fprintf(e.Err, "Error while executing config command with args '%s'\n", strings.Join(args, " "))
		fmt.Fprintf(e.Err, "java.util.concurrent.ExecutionException: %s: %s\n", javaError(err), faceReason(err))
	}
	return 1
}

// illegalArgument is a mistake in the command line: its text alone is printed.
type illegalArgument struct{ text string }

func (i *illegalArgument) Error() string { return i.text }

func illegal(format string, args ...any) error { return &illegalArgument{fmt.Sprintf(format, args...)} }

// entityKinds pairs the short flags with entity types, in Kafka's order.
func entityKinds() []struct{ flag, kind string } {
	return []struct{ flag, kind string }{
		{"topic", "topics"}, {"client", "clients"}, {"user", "users"}, {"broker", "brokers"},
		{"broker-logger", "broker-loggers"}, {"ip", "ips"}, {"client-metrics", "client-metrics"}, {"group", "groups"},
		{"client-defaults", "clients"}, {"user-defaults", "users"}, {"broker-defaults", "brokers"}, {"ip-defaults", "ips"},
	}
}

// entitiesOf reads whom the command is about: types and names come as two
// lists, in the order of the command line.
func entitiesOf(set *jset) (types []string, names []string, short bool) {
	types = append(types, set.values["entity-type"]...)
	given := set.values["entity-name"]
	for _, o := range set.order {
		switch o {
		case "entity-name":
			names, given = append(names, given[0]), given[1:]
		case "entity-default":
			names = append(names, "")
		}
	}
	for _, k := range entityKinds() {
		if set.has(k.flag) {
			short = true
			types = append(types, k.kind)
			names = append(names, set.one(k.flag, "")) // "" for …-defaults
		}
	}
	return types, names, short
}

func checkConfigs(set *jset) ([]entity, error) {
	if set.has("alter") == set.has("describe") {
		return nil, &usageError{"Command must include exactly one action: --describe, --alter"}
	}
	for _, o := range []string{"add-config", "delete-config"} {
		if set.has("describe") && set.has(o) {
			return nil, &usageError{fmt.Sprintf(`Option "[describe]" can't be used with option "[%s]"`, o)}
		}
	}
	types, names, short := entitiesOf(set)
	for i, t := range types {
		if slices.Contains(types[:i], t) {
			return nil, illegal("Duplicate entity type(s) specified: %s", t)
		}
	}
	allowed := []string{"topics", "clients", "users", "brokers", "ips", "client-metrics", "groups", "broker-loggers"}
	for _, t := range types {
		if !slices.Contains(allowed, t) {
			return nil, illegal("Invalid entity type %s, the entity type must be one of %s with a --bootstrap-server or --bootstrap-controller argument", t, strings.Join(allowed, ", "))
		}
	}
	switch {
	case len(types) == 0:
		return nil, illegal("At least one entity type must be specified")
	case len(types) > 1 && !(len(types) == 2 && slices.Contains(types, "users") && slices.Contains(types, "clients")):
		return nil, illegal("Only 'users' and 'clients' entity types may be specified together")
	case short && (set.has("entity-name") || set.has("entity-type") || set.has("entity-default")):
		return nil, illegal("--entity-{type,name,default} should not be used in conjunction with specific entity flags")
	case !set.has("bootstrap-server") && !set.has("bootstrap-controller"):
		return nil, illegal("Either --bootstrap-server or --bootstrap-controller must be specified.")
	case set.has("bootstrap-server") && set.has("bootstrap-controller"):
		return nil, illegal("Only one of --bootstrap-server or --bootstrap-controller can be specified")
	}
	if err := checkEntityNames(set, types, names); err != nil {
		return nil, err
	}
	out := make([]entity, len(types))
	for i, t := range types {
		out[i] = entity{kind: t}
		if i < len(names) {
			out[i].name, out[i].named = names[i], true
		}
	}
	return out, nil
}

func checkEntityNames(set *jset, types, names []string) error {
	kind := types[0]
	hasName := slices.ContainsFunc(names, func(n string) bool { return n != "" })
	defaults := kind == "users" || kind == "clients" || kind == "brokers" || kind == "ips"
	if kind == "brokers" || kind == "broker-loggers" {
		for _, n := range names {
			if _, err := strconv.ParseInt(n, 10, 32); n != "" && err != nil {
				return illegal("The entity name for %s must be a valid integer broker id, but it is: %s", kind, n)
			}
		}
	}
	if set.has("describe") {
		if !defaults && set.has("entity-default") {
			return illegal("--entity-default must not be specified with --describe of %s", strings.Join(types, ","))
		}
		if kind == "broker-loggers" && !hasName {
			return illegal("An entity name must be specified with --describe of %s", strings.Join(types, ","))
		}
		return nil
	}
	switch {
	case defaults && len(names) == 0:
		return illegal("An entity-name or default entity must be specified with --alter of users, clients, brokers or ips")
	case !defaults && !hasName:
		return illegal("An entity name must be specified with --alter of %s", strings.Join(types, ","))
	case set.has("add-config") && set.has("add-config-file"):
		return illegal("Only one of --add-config or --add-config-file must be specified")
	case !set.has("add-config") && !set.has("add-config-file") && !set.has("delete-config"):
		return illegal("At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter")
	case len(names) != len(types):
		return illegal("An entity name must be specified for every entity type")
	}
	return nil
}

func runConfigs(ctx context.Context, e *Env, set *jset, entities []entity) error {
	add, remove, err := configChanges(set)
	if err != nil {
		return err
	}
	c, ctx, closeClient, err := dialFace(ctx, e, set)
	if err != nil {
		return err
	}
	defer closeClient()
	run := configsFace{e: e, admin: c.Admin(), entities: entities, all: set.has("all")}
	kind := entities[0].kind
	quotas := kind == "users" || kind == "clients" || kind == "ips"
	switch {
	case set.has("describe") && quotas:
		return run.describeQuotas(ctx)
	case set.has("describe"):
		return run.describeResources(ctx)
	case quotas:
		err = run.alterQuotas(ctx, add, remove)
	default:
		err = run.alterResource(ctx, add, remove)
	}
	if err != nil {
		return err
	}
	if first := entities[0]; first.name != "" {
		fmt.Fprintf(e.Out, "Completed updating config for %s %s.\n", singular(first.kind), first.name)
	} else {
		fmt.Fprintf(e.Out, "Completed updating default config for %s in the cluster.\n", first.kind)
	}
	return nil
}

// configChanges reads --add-config, --add-config-file and --delete-config.
func configChanges(set *jset) (add client.Config, remove []string, err error) {
	add = client.Config{}
	if file := set.one("add-config-file", ""); file != "" {
		p, err := client.LoadProperties(file)
		if err != nil {
			return nil, nil, err
		}
		add = client.Config(p)
	}
	for _, text := range set.values["add-config"] {
		if err := parseAddConfig(text, add); err != nil {
			return nil, nil, err
		}
	}
	for k := range add {
		if !regexp.MustCompile(`^[a-zA-Z0-9._-]*$`).MatchString(k) {
			return nil, nil, illegal("Invalid character found for config key: %s", k)
		}
	}
	for _, list := range set.values["delete-config"] {
		for _, k := range strings.Split(list, ",") {
			remove = append(remove, strings.TrimSpace(k))
		}
	}
	return add, remove, nil
}

// parseAddConfig reads k1=v1,k2=[v1,v2]: brackets group what holds commas.
func parseAddConfig(text string, into client.Config) error {
	for _, pair := range splitOutside(text, ',') {
		parts := splitOutside(pair, '=')
		if len(parts) != 2 {
			return illegal(`requirement failed: Invalid entity config: all configs to be added must be in the format "key=val" or  "key=[val1,val2]" to group values which contain commas.`)
		}
		value := strings.NewReplacer("[", "", "]", "").Replace(parts[1])
		into[strings.TrimSpace(parts[0])] = strings.TrimSpace(value)
	}
	return nil
}

// splitOutside splits at sep, but not between [ and ].
func splitOutside(s string, sep byte) []string {
	var parts []string
	start, depth := 0, 0
	for i := range len(s) {
		switch {
		case s[i] == '[':
			depth++
		case s[i] == ']' && depth > 0:
			depth--
		case s[i] == sep && depth == 0:
			parts, start = append(parts, s[start:i]), i+1
		}
	}
	return append(parts, s[start:])
}

func singular(kind string) string { return kind[:len(kind)-1] }
