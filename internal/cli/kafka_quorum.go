package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/vfs"
	"github.com/brokerd/brokerd/pkg/client"
)

// kafkaQuorum is kafka-metadata-quorum: who votes, and how far each has come.
func kafkaQuorum(e *Env, args []string) int {
	t := argTool{name: "kafka-metadata-quorum", global: bootstrapOpts(), commands: []argCommand{
		{"describe", []argOpt{opt("--status", aFlag), opt("--replication", aFlag), opt("--human-readable", aFlag)}, describeKafkaQuorum},
		{"add-controller", []argOpt{opt("--dry-run", aFlag)}, addController},
		{"remove-controller", []argOpt{opt("--controller-id/-i", mandatory, integer), opt("--controller-directory-id/-d", mandatory), opt("--dry-run", aFlag)}, removeController},
	}}
	return t.main(e, args, 0, func(err error) {
		var answered *client.Error
		if errors.As(err, &answered) {
			fmt.Fprintf(e.Err, "%s\njava.util.concurrent.ExecutionException: %s\n", javaText(err), javaText(err))
			return
		}
		fmt.Fprintln(e.Err, err)
	})
}

func describeKafkaQuorum(e *Env, set *jset) error {
	status, replication, human := set.has("status"), set.has("replication"), set.has("human-readable")
	switch {
	case status && replication:
		return errors.New("Only one of --status or --replication should be specified with describe sub-command")
	case human && !replication:
		return errors.New("The option --human-readable is only supported along with --replication")
	case !status && !replication:
		return errors.New("One of --status or --replication must be specified with describe sub-command")
	}
	return withAdmin(e, set, func(ctx context.Context, admin *client.Admin) error {
		q, err := admin.Quorum(ctx)
		if err != nil {
			return err
		}
		if replication {
			return quorumReplication(e, q, human)
		}
		cluster, _, err := admin.Endpoints(ctx, set.has("bootstrap-controller"), false)
		if err != nil {
			return err
		}
		return quorumKafkaStatus(e, cluster, q)
	})
}

func leaderOf(q client.Quorum) client.Member {
	for _, m := range q.Members {
		if m.Node == q.Leader && m.Voter {
			return m
		}
	}
	return client.Member{}
}

func quorumKafkaStatus(e *Env, cluster string, q client.Quorum) error {
	leader := leaderOf(q)
	lag, late := int64(0), int64(0)
	var voters, observers []string
	for _, m := range q.Members {
		text := fmt.Sprintf(`"id": %d, "directoryId": "%s"`, m.Node, m.Directory)
		if !m.Voter {
			observers = append(observers, "{"+text+"}")
			continue
		}
		if m.Address != "" {
			text += fmt.Sprintf(`, "endpoints": ["%s://%s"]`, m.Listener, m.Address)
		}
		voters = append(voters, "{"+text+"}")
		lag = max(lag, leader.LogEnd-m.LogEnd)
		switch {
		case m.LastCaughtUp.IsZero():
			late = -1
		case late >= 0:
			late = max(late, leader.LastCaughtUp.Sub(m.LastCaughtUp).Milliseconds())
		}
	}
	_, err := fmt.Fprintf(e.Out, "ClusterId:              %s\nLeaderId:               %d\nLeaderEpoch:            %d\nHighWatermark:          %d\n"+
		"MaxFollowerLag:         %d\nMaxFollowerLagTimeMs:   %d\nCurrentVoters:          [%s]\nCurrentObservers:       [%s]\n",
		cluster, q.Leader, q.Epoch, q.Committed, lag, late, strings.Join(voters, ", "), strings.Join(observers, ", "))
	return err
}

// quorumReplication prints Kafka's table: cells as wide as the widest, tabs between.
func quorumReplication(e *Env, q client.Quorum, human bool) error {
	leader := leaderOf(q)
	rows := [][]string{{"NodeId", "DirectoryId", "LogEndOffset", "Lag", "LastFetchTimestamp", "LastCaughtUpTimestamp", "Status"}}
	at := func(t time.Time) string {
		switch {
		case t.IsZero():
			return "-1"
		case human:
			return fmt.Sprintf("%d ms ago", time.Since(t).Milliseconds())
		}
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	for _, m := range q.Members {
		role := "Observer"
		switch {
		case m.Voter && m.Node == q.Leader:
			role = "Leader"
		case m.Voter:
			role = "Follower"
		}
		rows = append(rows, []string{strconv.Itoa(int(m.Node)), m.Directory, strconv.FormatInt(m.LogEnd, 10),
			strconv.FormatInt(leader.LogEnd-m.LogEnd, 10), at(m.LastSeen), at(m.LastCaughtUp), role})
	}
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, r := range rows {
		for i, cell := range r {
			if i == len(r)-1 && len(rows) > 1 {
				widths[i] = max(len("Status"), len(cell))
			}
			fmt.Fprintf(e.Out, "%-*s\t", widths[i], cell)
		}
		fmt.Fprintln(e.Out)
	}
	return nil
}

// addController gives a vote to the node of a property file: its storage is
// formatted, and it runs.
func addController(e *Env, set *jset) error {
	file := set.one("command-config", "")
	if file == "" {
		return errors.New("You must supply the configuration file of the controller you are adding when using add-controller.")
	}
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("Properties file %s does not exists!", file)
	}
	c, report := conf.Load(conf.Sources{Files: []string{file}})
	if err := report.Err(); err != nil {
		return err
	}
	if !c.HasRole("controller") {
		return fmt.Errorf("process.roles did not contain 'controller', so this is not a controller configuration.") //nolint:staticcheck // Kafka's words
	}
	dir := storageDirs(c)[0]
	m, err := broker.ReadMeta(vfs.NewOS(), dir)
	if err != nil {
		return fmt.Errorf("Unable to read meta.properties from %s", dir)
	}
	directory := m.Directory.String()
	if set.has("dry-run") {
		fmt.Fprintf(e.Out, "DRY RUN of adding controller %d with directory id %s and endpoints: %s\n", c.NodeID, directory, controllerEndpointsOf(c))
		return nil
	}
	set.values["command-config"] = nil // it is the server's: it does not say how to connect
	return withAdmin(e, set, func(ctx context.Context, admin *client.Admin) error {
		if err := admin.AddVoter(ctx, c.NodeID, directory); err != nil {
			return err
		}
		fmt.Fprintf(e.Out, "Added controller %d with directory id %s and endpoints: %s\n", c.NodeID, directory, controllerEndpointsOf(c))
		return nil
	})
}

func controllerEndpointsOf(c *conf.Broker) string {
	var list []string
	for _, l := range c.Listeners {
		if c.IsController(l.Name) {
			list = append(list, fmt.Sprintf("%s://%s", l.Name, net.JoinHostPort(l.Host, strconv.Itoa(l.Port))))
		}
	}
	return strings.Join(list, ", ")
}

func removeController(e *Env, set *jset) error {
	node, err := parseInt32(set.one("controller-id", ""))
	if err != nil {
		return err
	}
	if node < 0 {
		return fmt.Errorf("Invalid negative --controller-id: %d", node)
	}
	directory := set.one("controller-directory-id", "")
	if b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(directory, "=")); err != nil || len(b) != 16 {
		return fmt.Errorf("Failed to parse --controller-directory-id: Input string `%s` decoded as %d bytes, which is not equal to the expected 16 bytes of a base64-encoded UUID", directory, len(b))
	}
	if set.has("dry-run") {
		fmt.Fprintf(e.Out, "DRY RUN of removing  KRaft controller %d with directory id %s\n", node, directory)
		return nil
	}
	return withAdmin(e, set, func(ctx context.Context, admin *client.Admin) error {
		if err := admin.RemoveVoter(ctx, node, directory); err != nil {
			return err
		}
		fmt.Fprintf(e.Out, "Removed KRaft controller %d with directory id %s\n", node, directory)
		return nil
	})
}
