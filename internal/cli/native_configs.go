package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

// whose is the flags that say whose settings a command is about.
type whose struct {
	topics  []string
	brokers []string
	cluster bool
	groups  []string
}

func (w *whose) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVarP(&w.topics, "topic", "t", nil, "settings of topic `NAME`")
	f.StringSliceVar(&w.brokers, "broker", nil, "settings of the broker with this `ID`")
	f.BoolVar(&w.cluster, "broker-defaults", false, "settings that hold for all brokers")
	f.StringSliceVar(&w.groups, "group", nil, "settings of group `NAME`")
}

func (w *whose) resources() ([]client.Resource, error) {
	list := topicResources(w.topics)
	for _, b := range w.brokers {
		if _, err := strconv.ParseInt(b, 10, 32); err != nil {
			return nil, usageErr("a broker's id is a number: brokerd configs describe --broker 1", "--broker %s", b)
		}
		list = append(list, client.Resource{Type: client.BrokerResource, Name: b})
	}
	if w.cluster {
		list = append(list, client.Resource{Type: client.BrokerResource})
	}
	for _, g := range w.groups {
		list = append(list, client.Resource{Type: client.GroupResource, Name: g})
	}
	if len(list) == 0 {
		return nil, usageErr("one of --topic NAME, --broker ID, --broker-defaults, --group NAME", "say whose settings")
	}
	return list, nil
}

func resourceName(r client.Resource) string {
	if r.Type == client.BrokerResource && r.Name == "" {
		return "all brokers"
	}
	return r.Type.String() + " " + r.Name
}

func (a *app) configsCommand() *cobra.Command {
	c := a.connects(&cobra.Command{Use: "configs", Aliases: []string{"config"}, Short: "Show and change settings of topics, brokers and groups"})
	c.AddCommand(a.configsDescribe(), a.configsAlter())
	return c
}

func (a *app) configsDescribe() *cobra.Command {
	var w whose
	var all bool
	c := &cobra.Command{Use: "describe", Short: "Show settings: those that were made, or --all", Args: cobra.NoArgs,
		Example: "  brokerd configs describe --topic orders\n  brokerd configs describe --broker 1 --all -o json"}
	w.flags(c)
	c.Flags().BoolVar(&all, "all", false, "defaults and those of files too")
	c.RunE = func(c *cobra.Command, _ []string) error {
		resources, err := w.resources()
		if err != nil {
			return err
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		if err := a.topicsExist(ctx, admin, w.topics); err != nil {
			return err
		}
		configs, err := admin.DescribeConfigs(ctx, resources...)
		if err != nil {
			return err
		}
		return a.printConfigs(resources, configs, all)
	}
	return c
}

// topicsExist tells of a topic that is missing in our words, with the nearest name.
func (a *app) topicsExist(ctx context.Context, admin *client.Admin, names []string) error {
	if len(names) == 0 {
		return nil
	}
	all, err := admin.Topics(ctx)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !slices.ContainsFunc(all, func(t client.TopicInfo) bool { return t.Name == n }) {
			return a.noSuchTopic(n, all)
		}
	}
	return nil
}

// resourceSettings is one resource in JSON.
type resourceSettings struct {
	Type     string           `json:"type"`
	Name     string           `json:"name"`
	Settings []client.Setting `json:"settings"`
}

func (a *app) printConfigs(resources []client.Resource, configs map[client.Resource][]client.Setting, all bool) error {
	var docs []resourceSettings
	for i, r := range resources {
		list := []client.Setting{}
		for _, s := range configs[r] {
			if all || made(r, s.Source) {
				list = append(list, s)
			}
		}
		docs = append(docs, resourceSettings{r.Type.String(), r.Name, list})
		if a.json() {
			continue
		}
		if len(resources) > 1 {
			if i > 0 {
				fmt.Fprintln(a.e.Out)
			}
			fmt.Fprintln(a.e.Out, resourceName(r))
		}
		if len(list) == 0 {
			a.note("%s has no settings of its own; --all shows those that hold", resourceName(r))
			continue
		}
		if err := printTable(a.e.Out, a.settingRows(list)); err != nil {
			return err
		}
	}
	if a.json() {
		return printJSON(a.e.Out, docs)
	}
	return nil
}

// made says that a setting was made on this very resource.
func made(r client.Resource, s client.Source) bool {
	switch s {
	case client.DynamicTopic, client.DynamicGroup, client.DynamicBroker, client.DynamicClientMetrics, client.DynamicBrokerLogger:
		return true
	case client.DynamicDefaultBroker:
		return r.Type == client.BrokerResource && r.Name == ""
	}
	return false
}

func (a *app) settingRows(list []client.Setting) [][]string {
	rows := [][]string{{"NAME", "VALUE", "FROM"}}
	if a.output == "wide" {
		rows[0] = append(rows[0], "READ ONLY", "WHAT IT DOES")
	}
	for _, s := range list {
		value := "-"
		switch {
		case s.Sensitive:
			value = "[hidden]"
		case s.Value != nil:
			value = *s.Value
		}
		row := []string{s.Name, value, sourceText(s.Source)}
		if a.output == "wide" {
			row = append(row, strconv.FormatBool(s.ReadOnly), s.Documentation)
		}
		rows = append(rows, row)
	}
	return rows
}

func sourceText(s client.Source) string {
	switch s {
	case client.DynamicTopic:
		return "topic"
	case client.DynamicBroker:
		return "broker"
	case client.DynamicDefaultBroker:
		return "all brokers"
	case client.StaticBroker:
		return "broker's start"
	case client.DefaultValue:
		return "default"
	}
	return strings.ToLower(strings.ReplaceAll(s.String(), "_", " "))
}

func (a *app) configsAlter() *cobra.Command {
	var w whose
	var set, add, subtract, remove []string
	var dry bool
	c := &cobra.Command{Use: "alter", Short: "Change settings; what is not named stays", Args: cobra.NoArgs,
		Example: "  brokerd configs alter --topic orders --set retention.ms=7d --set segment.bytes=256MiB\n  brokerd configs alter --topic orders --delete retention.ms --dry-run"}
	w.flags(c)
	f := c.Flags()
	f.StringArrayVarP(&set, "set", "s", nil, "give a setting a value, `key=value`; 7d and 1GiB are understood")
	f.StringArrayVar(&add, "append", nil, "add to a list, `key=value`")
	f.StringArrayVar(&subtract, "subtract", nil, "take from a list, `key=value`")
	f.StringArrayVarP(&remove, "delete", "d", nil, "back to the default, `key`")
	f.BoolVar(&dry, "dry-run", false, "show what would change, change nothing")
	c.RunE = func(c *cobra.Command, _ []string) error {
		resources, err := w.resources()
		if err != nil {
			return err
		}
		ops, err := configOps(set, add, subtract, remove)
		if err != nil {
			return err
		}
		admin, ctx, done, err := a.admin(c)
		if err != nil {
			return err
		}
		defer done()
		if err := a.topicsExist(ctx, admin, w.topics); err != nil {
			return err
		}
		alter, status, verb := admin.AlterConfigs, "altered", "altered "
		if dry {
			alter, status, verb = admin.ValidateAlterConfigs, "valid", "would alter "
			if err := a.diff(ctx, admin, resources, ops); err != nil {
				return err
			}
		}
		var list []outcome
		for _, r := range resources {
			o := outcome{Name: resourceName(r), Status: status, text: verb + resourceName(r)}
			if err := alter(ctx, r, ops...); err != nil {
				o.err = explained(err, a.address)
			}
			list = append(list, o)
		}
		return a.outcomes(list)
	}
	return c
}

func configOps(set, add, subtract, remove []string) ([]client.ConfigOp, error) {
	var ops []client.ConfigOp
	for _, group := range []struct {
		pairs []string
		op    client.AlterOp
		flag  string
	}{{set, client.Set, "--set"}, {add, client.Append, "--append"}, {subtract, client.Subtract, "--subtract"}} {
		for _, p := range group.pairs {
			k, v, found := strings.Cut(p, "=")
			if !found || k == "" {
				return nil, usageErr("as in: "+group.flag+" retention.ms=7d", "%s %q is not of the form key=value", group.flag, p)
			}
			k = strings.TrimSpace(k)
			ops = append(ops, client.ConfigOp{Op: group.op, Name: k, Value: plain(k, v)})
		}
	}
	for _, k := range remove {
		ops = append(ops, client.ConfigOp{Op: client.Delete, Name: k})
	}
	if len(ops) == 0 {
		return nil, usageErr("--set key=value, --append, --subtract or --delete key", "say what to change")
	}
	return ops, nil
}

// diff shows what a change would do, on stderr: the answer itself is the outcome.
func (a *app) diff(ctx context.Context, admin *client.Admin, resources []client.Resource, ops []client.ConfigOp) error {
	if a.json() {
		return nil
	}
	configs, err := admin.DescribeConfigs(ctx, resources...)
	if err != nil {
		return err
	}
	for _, r := range resources {
		for _, op := range ops {
			before := "(unset)"
			for _, s := range configs[r] {
				if s.Name == op.Name && s.Value != nil {
					before = *s.Value
				}
			}
			after := map[client.AlterOp]string{client.Set: op.Value, client.Delete: "(default)",
				client.Append: before + "," + op.Value, client.Subtract: before + " without " + op.Value}[op.Op]
			fmt.Fprintf(a.e.Err, "%s: %s\n- %s\n+ %s\n", resourceName(r), op.Name, before, after)
		}
	}
	return nil
}
