package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/brokerd/brokerd/pkg/client"
)

// kafkaCluster is kafka-cluster: the cluster's id, its endpoints, and brokers that
// are gone.
func kafkaCluster(e *Env, args []string) int {
	connect := func(more ...argOpt) []argOpt {
		return append([]argOpt{opt("--bootstrap-server/-b", oneOf), opt("--bootstrap-controller/-C", oneOf), opt("--config"), opt("--command-config/-c")}, more...)
	}
	t := argTool{name: "kafka-cluster", commands: []argCommand{
		{"cluster-id", connect(), clusterID},
		{"unregister", connect(opt("--id/-i", mandatory, integer)), unregisterBroker},
		{"list-endpoints", connect(opt("--include-fenced-brokers", aFlag)), listEndpoints},
	}}
	return t.main(e, args, 1, func(err error) {
		var answered *client.Error
		if errors.As(err, &answered) {
			fmt.Fprintf(e.Err, "%s\njava.util.concurrent.ExecutionException: %s\n", javaText(err), javaText(err))
			return
		}
		fmt.Fprintln(e.Err, err)
	})
}

func clusterID(e *Env, set *jset) error {
	return clusterAdmin(e, set, func(ctx context.Context, admin *client.Admin) error {
		id, _, err := admin.Endpoints(ctx, false, false)
		if err == nil {
			fmt.Fprintf(e.Out, "Cluster ID: %s\n", id)
		}
		return err
	})
}

// clusterAdmin takes the old name of --command-config, too.
func clusterAdmin(e *Env, set *jset, f func(ctx context.Context, admin *client.Admin) error) error {
	if old := set.one("config", ""); old != "" {
		if set.has("command-config") {
			return errors.New("Only one of --config or --command-config must be specified.")
		}
		set.values["command-config"] = []string{old}
	}
	return withAdmin(e, set, f)
}

func unregisterBroker(e *Env, set *jset) error {
	return clusterAdmin(e, set, func(ctx context.Context, admin *client.Admin) error {
		node, err := parseInt32(set.one("id", ""))
		if err != nil {
			return err
		}
		if err := admin.Unregister(ctx, node); err != nil {
			return err
		}
		fmt.Fprintf(e.Out, "Broker %d is no longer registered.\n", node)
		return nil
	})
}

func listEndpoints(e *Env, set *jset) error {
	controllers, fenced := set.has("bootstrap-controller"), set.has("include-fenced-brokers")
	if controllers && fenced {
		const text = "The option --include-fenced-brokers is only supported with --bootstrap-server option"
		return errors.New(text + "\njava.lang.IllegalArgumentException: " + text)
	}
	return clusterAdmin(e, set, func(ctx context.Context, admin *client.Admin) error {
		_, list, err := admin.Endpoints(ctx, controllers, fenced)
		if err != nil {
			return err
		}
		wide := 10
		for _, n := range list {
			wide = max(wide, len(n.Host))
		}
		row := func(id, host, port, rack, state, kind string) {
			fmt.Fprintf(e.Out, "%-10s %-*s %-10s %-10s ", id, wide-1, host, port, rack)
			if !controllers {
				fmt.Fprintf(e.Out, "%-10s ", state)
			}
			fmt.Fprintf(e.Out, "%-15s\n", kind)
		}
		row("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE")
		for _, n := range list {
			rack, state, kind := n.Rack, "unfenced", "broker"
			if rack == "" {
				rack = "null"
			}
			if n.Fenced {
				state = "fenced"
			}
			if controllers {
				kind = "controller"
			}
			row(strconv.Itoa(int(n.ID)), n.Host, strconv.Itoa(int(n.Port)), rack, state, kind)
		}
		return nil
	})
}
