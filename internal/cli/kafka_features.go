package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// bootstrapOpts are where a tool of argparse4j connects to.
func bootstrapOpts() []argOpt {
	return []argOpt{opt("--bootstrap-server", oneOf), opt("--bootstrap-controller", oneOf), opt("--command-config")}
}

// kafkaFeatures is kafka-features: what all nodes understand.
func kafkaFeatures(e *Env, args []string) int {
	levels := []argOpt{opt("--metadata"), opt("--release-version"), opt("--feature"), opt("--dry-run", aFlag)}
	down := append(slices.Clone(levels), opt("--unsafe", aFlag))
	t := argTool{name: "kafka-features", plain: true,
		global: []argOpt{opt("--bootstrap-server"), opt("--bootstrap-controller"), opt("--command-config")},
		commands: []argCommand{
			{"describe", []argOpt{opt("--node-id", integer)}, describeKafkaFeatures},
			{"upgrade", levels, featureMover("upgrade")},
			{"downgrade", down, featureMover("downgrade")},
			{"disable", []argOpt{opt("--feature"), opt("--unsafe", aFlag), opt("--dry-run", aFlag)}, featureMover("disable")},
			{"version-mapping", []argOpt{opt("--release-version")}, noMapping},
			{"feature-dependencies", []argOpt{opt("--feature")}, noMapping},
		}}
	return t.main(e, args, 0, func(err error) { fmt.Fprintln(e.Err, faceReason(err)) })
}

func noMapping(*Env, *jset) error {
	return errors.New("brokerd has no metadata.version to look up: its metadata has one feature level, raised when all brokers know it.")
}

// withAdmin runs f connected as the options of a tool say.
func withAdmin(e *Env, set *jset, f func(ctx context.Context, admin *client.Admin) error) error {
	ctx, stop := interruptible()
	defer stop()
	if !set.has("bootstrap-server") && !set.has("bootstrap-controller") {
		return errors.New("You must specify either --bootstrap-controller or --bootstrap-server.")
	}
	c, ctx, closeClient, err := dialFace(ctx, e, set)
	if err != nil {
		return err
	}
	defer closeClient()
	return f(ctx, c.Admin())
}

func describeKafkaFeatures(e *Env, set *jset) error {
	return withAdmin(e, set, func(ctx context.Context, admin *client.Admin) error {
		node, err := parseInt32(set.one("node-id", "-1"))
		if err != nil {
			return err
		}
		list, err := admin.Features(ctx, node)
		if err != nil {
			return err
		}
		for _, f := range list {
			epoch := "-"
			if f.Epoch >= 0 {
				epoch = strconv.FormatInt(f.Epoch, 10)
			}
			fmt.Fprintf(e.Out, "Feature: %-41s SupportedMinVersion: %-16d SupportedMaxVersion: %-16d FinalizedVersionLevel: %-16d Epoch: %s\n",
				f.Name, f.Nodes[0].Min, f.Nodes[0].Max, f.Finalized, epoch)
		}
		return nil
	})
}

// featureMover makes the command that moves features.
func featureMover(op string) func(*Env, *jset) error {
	return func(e *Env, set *jset) error {
		updates, err := featureUpdates(op, set)
		if err != nil {
			return err
		}
		return withAdmin(e, set, func(ctx context.Context, admin *client.Admin) error {
			return moveFeatures(ctx, e, admin, op, updates, set.has("dry-run"))
		})
	}
}

func featureUpdates(op string, set *jset) (updates []client.FeatureUpdate, err error) {
	kind := client.Upgrade
	if op != "upgrade" {
		kind = client.SafeDowngrade
		if set.has("unsafe") {
			kind = client.UnsafeDowngrade
		}
	}
	if set.has("metadata") || set.has("release-version") {
		return nil, errors.New("brokerd has no metadata.version: its own level moves with --feature " + client.MetadataFeature + "=LEVEL")
	}
	for _, text := range set.values["feature"] {
		name, level := text, int64(0)
		if op != "disable" {
			var number string
			var ok bool
			if name, number, ok = strings.Cut(text, "="); !ok {
				return nil, fmt.Errorf("Can't parse feature=level string %s: equals sign not found.", text)
			}
			name, number = strings.TrimSpace(name), strings.TrimSpace(number)
			if level, err = strconv.ParseInt(number, 10, 16); err != nil {
				return nil, fmt.Errorf("Can't parse feature=level string %s: unable to parse %s as a short.", text, number)
			}
		}
		if slices.ContainsFunc(updates, func(u client.FeatureUpdate) bool { return u.Name == name }) {
			return nil, fmt.Errorf("Feature %s was specified more than once.", name)
		}
		updates = append(updates, client.FeatureUpdate{Name: name, Level: int16(level), Type: kind})
	}
	if len(updates) == 0 {
		return nil, errors.New("You must specify at least one feature to " + op)
	}
	slices.SortFunc(updates, func(a, b client.FeatureUpdate) int { return strings.Compare(a.Name, b.Name) })
	return updates, nil
}

func moveFeatures(ctx context.Context, e *Env, admin *client.Admin, op string, updates []client.FeatureUpdate, dry bool) error {
	err := admin.UpdateFeatures(ctx, updates, dry)
	var answered *client.Error
	if err != nil && !errors.As(err, &answered) {
		return err
	}
	for _, u := range updates {
		what, done := fmt.Sprintf("%s %s to %d", op, u.Name, u.Level), fmt.Sprintf("%sd to %d.", op, u.Level)
		if op == "disable" {
			what, done = "disable "+u.Name, "disabled."
		}
		switch {
		case err != nil && dry:
			fmt.Fprintf(e.Out, "Can not %s. %s\n", what, faceReason(err))
		case err != nil:
			fmt.Fprintf(e.Out, "Could not %s. %s\n", what, faceReason(err))
		case dry:
			fmt.Fprintf(e.Out, "%s can be %s\n", u.Name, done)
		default:
			fmt.Fprintf(e.Out, "%s was %s\n", u.Name, done)
		}
	}
	if err != nil {
		return fmt.Errorf("%d out of %d operation(s) failed.", len(updates), len(updates))
	}
	return nil
}
