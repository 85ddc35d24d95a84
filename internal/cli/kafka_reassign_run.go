package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/pkg/client"
)

// dirMovePause is how long to wait before a replica is asked for again that its
// broker does not have yet.
const dirMovePause = 100 * time.Millisecond

// execute begins a reassignment.
func (r *reassigning) execute(ctx context.Context, text string) error {
	want, err := parseReassignment(text)
	if err == nil {
		err = want.check()
	}
	if err != nil {
		return err
	}
	moving, err := r.admin.Moves(ctx)
	if err != nil {
		return err
	}
	if len(moving) > 0 && !r.set.has("additional") {
		return terse("Cannot execute because there is an existing partition assignment.  Use --additional to override this and create a new partition assignment in addition to the existing one. " +
			"The --additional flag can also be used to change the throttle by resubmitting the current reassignment.")
	}
	if err := r.knownBrokers(ctx, want); err != nil {
		return err
	}
	current, err := r.currentOf(ctx, want)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.e.Out, "Current partition replica assignment\n\n%s\n\nSave this to use as the --reassignment-json-file option during rollback\n", assignmentJSON(current, r.dirsOf(ctx, current)))
	if err := r.throttle(ctx, want, current, moving); err != nil {
		return err
	}
	begin := r.admin.Reassign
	if r.set.has("disallow-replication-factor-change") {
		begin = r.admin.ReassignKeepingFactor
	}
	results, err := begin(ctx, want.parts...)
	if err != nil {
		return err
	}
	if failed := failures(results); len(failed) > 0 {
		return terse("Error reassigning partition(s):\n" + strings.Join(failed, "\n"))
	}
	fmt.Fprintf(r.e.Out, "Successfully started partition reassignment%s for %s\n", plural(len(want.parts)), commas(want.partitions()))
	if len(want.dirs) == 0 {
		return nil
	}
	return r.moveDirs(ctx, want.dirs)
}

func (r *reassigning) knownBrokers(ctx context.Context, want reassignment) error {
	cluster, err := r.admin.Cluster(ctx)
	if err != nil {
		return err
	}
	var ids []int32
	for _, p := range want.parts {
		ids = append(ids, p.Replicas...)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if !hasBroker(cluster.Brokers, id) {
			return throwf(commandFailed, "Unknown broker id %d", id)
		}
	}
	return nil
}

// currentOf is where the partitions of want are now.
func (r *reassigning) currentOf(ctx context.Context, want reassignment) ([]client.Assignment, error) {
	all, err := r.assignments(ctx, want.topics())
	if err != nil {
		return nil, err
	}
	wanted := want.partitions()
	all = slices.DeleteFunc(all, func(a client.Assignment) bool { return !slices.Contains(wanted, a.Partition) })
	for _, a := range all {
		wanted = slices.DeleteFunc(wanted, func(p client.Partition) bool { return p == a.Partition })
	}
	if len(wanted) > 0 {
		var names []string
		for _, p := range wanted {
			names = append(names, p.String())
		}
		return nil, throwf(failedCall, "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: Unable to find partition: %s", strings.Join(names, ", "))
	}
	return all, nil
}

// throttle limits the traffic of the moves, those that are under way included.
func (r *reassigning) throttle(ctx context.Context, want reassignment, current []client.Assignment, moving []client.Move) error {
	between, within := r.set.number("throttle", -1), r.set.number("replica-alter-log-dirs-throttle", -1)
	if between < 0 && within < 0 {
		return nil
	}
	fmt.Fprintln(r.e.Out, "Warning: You must run --verify periodically, until the reassignment completes, to ensure the throttle is removed.")
	if between >= 0 {
		if err := r.admin.ThrottleMoves(ctx, client.Moving(want.parts, current, moving), between); err != nil {
			return err
		}
		fmt.Fprintf(r.e.Out, "The inter-broker throttle limit was set to %d B/s\n", between)
	}
	if within >= 0 {
		for _, id := range brokersOf(want.replicas()) {
			if err := r.admin.AlterConfigs(ctx, client.Resource{Type: client.BrokerResource, Name: strconv.Itoa(int(id))},
				client.ConfigOp{Op: client.Set, Name: client.DirMoveRate, Value: strconv.FormatInt(within, 10)}); err != nil {
				return err
			}
		}
		fmt.Fprintf(r.e.Out, "The replica-alter-dir throttle limit was set to %d B/s\n", within)
	}
	return nil
}

// moveDirs begins to move replicas into their log directories. A broker may have
// to get the replica first: it is asked again until --timeout.
func (r *reassigning) moveDirs(ctx context.Context, dirs map[client.ReplicaID]string) error {
	deadline := time.Now().Add(time.Duration(r.set.number("timeout", 10_000)) * time.Millisecond)
	left := maps.Clone(dirs)
	for {
		results, err := r.admin.MoveReplicas(ctx, left)
		if err != nil {
			return err
		}
		for _, d := range results {
			switch {
			case d.Err == nil:
				fmt.Fprintf(r.e.Out, "Successfully started moving log directory to %s for replica %s with broker %d \n", left[d.ReplicaID], d.Partition, d.Broker)
				delete(left, d.ReplicaID)
			case !errors.Is(d.Err, client.ErrReplicaNotAvailable):
				return throwf(commandFailed, "Failed to alter dir for %s", d.ReplicaID)
			}
		}
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return terse(fmt.Sprintf("Timed out before log directory move%s could be started for: %s", plural(len(left)), commas(reassignment{dirs: left}.replicas())))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(dirMovePause):
		}
	}
}

// verify says how far a reassignment is, and lifts the throttle once nothing moves.
func (r *reassigning) verify(ctx context.Context, text string) error {
	want, err := parseReassignment(text)
	if err != nil {
		return err
	}
	moving, err := r.admin.Moves(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(r.e.Out, "Status of partition reassignment:")
	if err := r.verifyMoves(ctx, want, moving); err != nil {
		return err
	}
	states, err := r.dirStates(ctx, want)
	if err != nil {
		return err
	}
	var lines []string
	active := false
	for _, s := range states {
		lines = append(lines, s.line())
		active = active || s.future != ""
	}
	fmt.Fprintln(r.e.Out, strings.Join(lines, "\n"))
	if len(moving) > 0 || active || r.set.has("preserve-throttles") {
		return nil
	}
	return r.liftThrottles(ctx, want)
}

func (r *reassigning) verifyMoves(ctx context.Context, want reassignment, moving []client.Move) error {
	sorted := slices.Clone(want.parts)
	slices.SortStableFunc(sorted, func(a, b client.Assignment) int { return client.ComparePartitions(a.Partition, b.Partition) })
	for _, p := range sorted {
		if slices.ContainsFunc(moving, func(m client.Move) bool { return m.Partition == p.Partition }) {
			fmt.Fprintf(r.e.Out, "Reassignment of partition %s is still in progress.\n", p.Partition)
			continue
		}
		now, err := r.currentOf(ctx, reassignment{parts: []client.Assignment{p}})
		var answered *client.Error
		if errors.As(err, &answered) {
			return err
		}
		var replicas []int32 // none of what does not exist
		if len(now) > 0 {
			replicas = now[0].Replicas
		}
		if slices.Equal(replicas, p.Replicas) {
			fmt.Fprintf(r.e.Out, "Reassignment of partition %s is completed.\n", p.Partition)
		} else {
			fmt.Fprintf(r.e.Out, "There is no active reassignment of partition %s, but replica set is %s rather than %s.\n", p.Partition, join(replicas, ","), join(p.Replicas, ","))
		}
	}
	return nil
}

// liftThrottles clears what throttle has set.
func (r *reassigning) liftThrottles(ctx context.Context, want reassignment) error {
	cluster, err := r.admin.Cluster(ctx)
	if err != nil {
		return err
	}
	ids := idsOf(cluster.Brokers)
	for _, p := range want.parts {
		ids = append(ids, p.Replicas...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	topics := want.topics()
	fmt.Fprintf(r.e.Out, "Clearing broker-level throttles on broker%s %s\n", plural(len(ids)), join(ids, ","))
	if err := r.admin.LiftThrottles(ctx, ids, nil); err != nil {
		return err
	}
	fmt.Fprintf(r.e.Out, "Clearing topic-level throttles on topic%s %s\n", plural(len(topics)), strings.Join(topics, ","))
	return r.admin.LiftThrottles(ctx, nil, topics)
}

// cancel ends the moves of a reassignment where they began.
func (r *reassigning) cancel(ctx context.Context, text string) error {
	want, err := parseReassignment(text)
	if err != nil {
		return err
	}
	moving, err := r.admin.Moves(ctx, want.partitions()...)
	if err != nil {
		return err
	}
	if len(want.parts) == 0 {
		moving = nil // no partitions asks for all
	}
	var back []client.Assignment
	var ids []client.Partition
	for _, m := range moving {
		back, ids = append(back, client.Assignment{Partition: m.Partition}), append(ids, m.Partition)
	}
	if len(back) == 0 {
		fmt.Fprintln(r.e.Out, "None of the specified partition reassignments are active.")
	} else {
		results, err := r.admin.Reassign(ctx, back...)
		if err != nil {
			return err
		}
		if failed := failures(results); len(failed) > 0 {
			return terse(fmt.Sprintf("Error cancelling partition reassignment%s for:\n%s", plural(len(failed)), strings.Join(failed, "\n")))
		}
		fmt.Fprintf(r.e.Out, "Successfully cancelled partition reassignment%s for: %s\n", plural(len(ids)), commas(ids))
	}
	states, err := r.dirStates(ctx, want)
	if err != nil {
		return err
	}
	stay := map[client.ReplicaID]string{}
	for _, s := range states {
		if s.future != "" {
			stay[s.id] = s.now
		}
	}
	if len(stay) == 0 {
		fmt.Fprint(r.e.Out, "None of the specified partition moves are active.")
	} else if err := r.moveDirs(ctx, stay); err != nil {
		return err
	}
	if r.set.has("preserve-throttles") {
		return nil
	}
	return r.liftThrottles(ctx, want)
}

// dirState is where a replica is, whose log directory a reassignment names.
type dirState struct {
	id                client.ReplicaID
	want, now, future string
}

func (r *reassigning) dirStates(ctx context.Context, want reassignment) ([]dirState, error) {
	if len(want.dirs) == 0 {
		return nil, nil
	}
	replicas := want.replicas()
	list, err := r.admin.LogDirs(ctx, brokersOf(replicas), want.topics()...)
	if err != nil {
		return nil, err
	}
	var out []dirState
	for _, id := range replicas {
		s := dirState{id: id, want: want.dirs[id]}
		for _, d := range list {
			for _, p := range d.Replicas {
				switch {
				case d.Broker != id.Broker || p.Partition != id.Partition:
				case p.Future:
					s.future = d.Dir
				default:
					s.now = d.Dir
				}
			}
		}
		out = append(out, s)
	}
	return out, nil
}

func (s dirState) line() string {
	switch {
	case s.now == "":
		return fmt.Sprintf("Partition %s is not found in any live log dir on broker %d. There is likely an offline log directory on the broker.", s.id.Partition, s.id.Broker)
	case s.future == s.want:
		return fmt.Sprintf("Reassignment of replica %s is still in progress.", s.id)
	case s.future != "":
		return fmt.Sprintf("Partition %s on broker %d is being moved to log dir %s instead of %s.", s.id.Partition, s.id.Broker, s.future, s.want)
	case s.now == s.want:
		return fmt.Sprintf("Reassignment of replica %s completed successfully.", s.id)
	}
	return fmt.Sprintf("Partition %s on broker %d is not being moved from log dir %s to %s.", s.id.Partition, s.id.Broker, s.now, s.want)
}

// brokersOf are the brokers of replicas, each once.
func brokersOf(replicas []client.ReplicaID) (ids []int32) {
	for _, r := range replicas {
		ids = append(ids, r.Broker)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func failures(results []client.PartitionResult) (lines []string) {
	for _, p := range results {
		if p.Err != nil {
			lines = append(lines, p.String()+": "+faceReason(p.Err))
		}
	}
	return lines
}

func commas[T fmt.Stringer](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.String()
	}
	return strings.Join(texts, ",")
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
