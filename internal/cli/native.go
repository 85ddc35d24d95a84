package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
	"github.com/spf13/cobra"
)

// app is one native command line.
type app struct {
	e       *Env
	output  string   // text, wide or json
	brokers []string // --bootstrap-server
	config  string   // --command-config
	props   []string // --command-property
	timeout time.Duration
	verbose bool
	quiet   bool
	address addressOrigin
	// defaults are client settings that --help promises where nobody sets them.
	defaults client.Properties
	parsed   bool // the command line was understood
}

// addressOrigin is where the bootstrap address came from: an error that cannot
// reach it says so.
type addressOrigin struct {
	addr, from string
	others     []string // what else it could have been
}

func native(e *Env, args []string) int {
	a := &app{e: e, address: addressOrigin{addr: client.DefaultBroker, from: "the default"}}
	root := a.root()
	root.SetArgs(args)
	ctx, stop := interruptible()
	defer stop()
	err := strayWord(root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	switch {
	case err == nil:
		return exitOK
	case gone(err):
		return exitOK // whoever read us has enough: head, less
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	why := explained(err, a.address)
	if !a.parsed && why.code == exitFailed { // cobra's own refusals
		why.code, why.hint = exitUsage, "see: brokerd --help"
	}
	return report(e.Err, why, a.json() || !a.parsed && wantsJSON(args))
}

// wantsJSON looks for -o json in a command line that cobra did not get through.
func wantsJSON(args []string) bool {
	for i, arg := range args {
		switch arg {
		case "--":
			return false
		case "-ojson", "-o=json", "--output=json":
			return true
		case "-o", "--output":
			if i+1 < len(args) && args[i+1] == "json" {
				return true
			}
		}
	}
	return false
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "brokerd",
		Short: "A distributed log broker that every Kafka client can talk to",
		Long: `A distributed log broker that every Kafka client can talk to.

Kafka's own commands work by name and text: brokerd kafka-topics --create …`,
		Example: `  brokerd server
  echo hello | brokerd produce greetings
  brokerd consume greetings --from-beginning
  brokerd topics describe greetings`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetIn(a.e.In)
	root.SetOut(a.e.Out)
	root.SetErr(a.e.Err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageErr("see: "+c.CommandPath()+" --help", "%v", err)
	})
	f := root.PersistentFlags()
	f.StringVarP(&a.output, "output", "o", "text", "how data is printed: text, wide or json")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "say more on stderr")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print results only")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		a.parsed = true
		return a.checkOutput()
	}
	root.AddGroup(&cobra.Group{ID: "server", Title: "Servers:"}, &cobra.Group{ID: "data", Title: "Topics and records:"}, &cobra.Group{ID: "more", Title: "More:"})
	root.SetHelpCommandGroupID("more")
	for group, cmds := range map[string][]*cobra.Command{
		"server": {a.serverCommand(), a.stopCommand(), a.storageCommand(), a.quorumCommand(), a.clusterCommand(), a.nodeCommand(), a.devClusterCommand()},
		"data":   {a.topicsCommand(), a.partitionsCommand(), a.configsCommand(), a.groupsCommand(), a.produceCommand(), a.consumeCommand()},
		"more":   {a.verifyCommand(), a.benchCommand(), a.debugCommand(), a.versionCommand(), a.aliasesCommand()},
	} {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	return root
}

// hideDefault keeps a default that stands for "not given" out of the help.
func hideDefault(c *cobra.Command, flag string) {
	c.Flags().Lookup(flag).DefValue = "0" // which is not shown; the value stays
}

// strayWord refuses a word where a command of commands expects one of them:
// cobra would print its help and call that success.
func strayWord(root *cobra.Command, args []string) error {
	c, rest, err := root.Find(args)
	if err != nil || c.Runnable() || c == root || slices.Contains(rest, "-h") || slices.Contains(rest, "--help") {
		return nil // what Find has to say cobra says itself
	}
	if len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
		return nil // what follows a flag may be its value
	}
	hint := "see: " + c.CommandPath() + " --help"
	if like := c.SuggestionsFor(rest[0]); len(like) > 0 {
		hint = "did you mean: " + c.CommandPath() + " " + strings.Join(like, " or ")
	}
	return usageErr(hint, "unknown command %q for %q", rest[0], c.CommandPath())
}

func (a *app) checkOutput() error {
	switch a.output {
	case "text", "wide", "json":
		return nil
	}
	return usageErr("use text, wide or json", "unknown output %q", a.output)
}

func (a *app) json() bool { return a.output == "json" }

// connects adds the flags of a command that talks to a cluster.
func (a *app) connects(c *cobra.Command) *cobra.Command {
	f := c.PersistentFlags()
	f.StringSliceVarP(&a.brokers, "bootstrap-server", "b", nil, "brokers to connect to, HOST:PORT[,HOST:PORT] (default $BROKERD_BROKERS, a server of this machine, "+client.DefaultBroker+")")
	f.StringVar(&a.config, "command-config", "", "property `file` with client settings by their Java names")
	f.StringArrayVarP(&a.props, "command-property", "X", nil, "one client setting, `key=value`; outranks the file")
	f.DurationVar(&a.timeout, "timeout", 30*time.Second, "how long one request may take")
	f.StringSliceVar(&a.brokers, "broker-list", nil, "")
	f.String("zookeeper", "", "")
	_ = f.MarkHidden("broker-list") // exists: defined just above
	_ = f.MarkHidden("zookeeper")
	return c
}

// dial connects as the flags say: flag > property > file > environment > a
// server of this machine > default.
func (a *app) dial(c *cobra.Command, more ...client.Option) (*client.Client, context.Context, func(), error) {
	if z := c.Flags().Lookup("zookeeper"); z != nil && z.Changed {
		return nil, nil, nil, usageErr("use --bootstrap-server HOST:9092", "ZooKeeper is gone")
	}
	p := client.Properties{}
	if a.config != "" {
		loaded, err := client.LoadProperties(a.config)
		if err != nil {
			return nil, nil, nil, err
		}
		p = loaded
	}
	if err := p.Set(a.props...); err != nil {
		return nil, nil, nil, usageErr("give -X key=value", "%v", err)
	}
	for name, value := range a.defaults {
		if p[name] == "" {
			p[name] = value
		}
	}
	a.chooseBrokers(p)
	p["bootstrap.servers"] = a.address.addr
	if p["client.id"] == "" {
		p["client.id"] = "brokerd-cli"
	}
	opts := append([]client.Option{client.WithProperties(p)}, more...)
	if a.verbose {
		opts = append(opts, client.Logger(slog.New(slog.NewTextHandler(a.e.Err, &slog.HandlerOptions{Level: slog.LevelInfo}))))
		fmt.Fprintf(a.e.Err, "brokers: %s (from %s)\n", a.address.addr, a.address.from)
	}
	cl, err := client.New(opts...)
	if err != nil {
		return nil, nil, nil, usageErr("", "%v", err)
	}
	for _, w := range cl.Warnings() {
		a.warn(w)
	}
	if err := cl.Connect(c.Context()); err != nil {
		cl.Close()
		return nil, nil, nil, err
	}
	ctx, cancel := cl.Guard(c.Context())
	return cl, ctx, func() { cancel(); cl.Close() }, nil
}

func (a *app) chooseBrokers(p client.Properties) {
	a.address = addressOrigin{addr: client.DefaultBroker, from: "the default"}
	switch {
	case len(a.brokers) > 0:
		a.address = addressOrigin{addr: strings.Join(a.brokers, ","), from: "--bootstrap-server"}
	case p["bootstrap.servers"] != "":
		a.address = addressOrigin{addr: p["bootstrap.servers"], from: "bootstrap.servers"}
	case a.e.Getenv("BROKERD_BROKERS") != "":
		a.address = addressOrigin{addr: a.e.Getenv("BROKERD_BROKERS"), from: "$BROKERD_BROKERS"}
	default:
		a.address.takeRunning(runDir(a.e.Getenv))
	}
}

// takeRunning takes the address of the server that runs on this machine, if it
// is the only one.
func (o *addressOrigin) takeRunning(dir string) {
	list, err := running(dir)
	list = slices.DeleteFunc(list, func(r runFile) bool { return r.Kafka == "" }) // waits for other nodes itself
	if err != nil {
		return // then the default is as good
	}
	for _, r := range list {
		o.others = append(o.others, r.Kafka)
	}
	if len(list) == 1 {
		*o = addressOrigin{addr: list[0].Kafka, from: fmt.Sprintf("the server that runs here as pid %d", list[0].Pid)}
	}
}

// admin connects for administration: every request within --timeout.
func (a *app) admin(c *cobra.Command) (*client.Admin, context.Context, func(), error) {
	cl, ctx, done, err := a.dial(c)
	if err != nil {
		return nil, nil, nil, err
	}
	limited, cancel := context.WithTimeout(ctx, a.timeout)
	return cl.Admin(), limited, func() { cancel(); done() }, nil
}

func (a *app) warn(text string) {
	if !a.quiet {
		fmt.Fprintln(a.e.Err, "warning: "+text)
	}
}

func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.e.Err, format+"\n", args...)
	}
}

// confirm asks a person to type the name of what is about to be destroyed; a
// script must have said --yes.
func (a *app) confirm(yes bool, what string, names ...string) error {
	if yes {
		return nil
	}
	if !a.e.InTTY {
		return usageErr("add --yes", "%s %s: nobody is here to confirm it", what, strings.Join(names, ", "))
	}
	fmt.Fprintf(a.e.Err, "%s %s. This cannot be undone. Type %q to go on: ", what, strings.Join(names, ", "), names[0])
	var typed string
	if _, err := fmt.Fscanln(a.e.In, &typed); err != nil || typed != names[0] {
		return &cliError{text: "not confirmed, nothing was changed", code: exitFailed}
	}
	return nil
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		if a.json() {
			return printJSON(a.e.Out, map[string]string{"version": a.e.Version, "kafkaCompatible": kafkaVersion})
		}
		_, err := fmt.Fprintf(a.e.Out, "brokerd %s (tools compatible with Apache Kafka %s)\n", a.e.Version, kafkaVersion)
		return err
	}}
}

func (a *app) stopCommand() *cobra.Command {
	var o stopOptions
	c := &cobra.Command{Use: "stop", Short: "Stop a server of this machine, and wait until it has ended", Args: cobra.NoArgs,
		Example: "  brokerd stop\n  brokerd stop --data-dir ./data",
		RunE: func(*cobra.Command, []string) error {
			o.json = a.json()
			return stopServers(a.e, o)
		}}
	c.Flags().StringVar(&o.dataDir, "data-dir", "", "the server that keeps its data in `DIR`")
	c.Flags().Int32Var(&o.node, "node-id", -1, "the server with this node id")
	hideDefault(c, "node-id")
	c.Flags().BoolVar(&o.all, "all", false, "every server of this user")
	c.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "how long to wait for its end")
	return c
}

// absolute makes a path comparable with those of a run file.
func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir // the working directory is gone: nothing will match
}
