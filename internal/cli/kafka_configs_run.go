package cli

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// configsFace runs one kafka-configs command.
type configsFace struct {
	e        *Env
	admin    *client.Admin
	entities []entity
	all      bool
}

func resourceOf(kind, name string) client.Resource {
	types := map[string]client.ResourceType{"topics": client.TopicResource, "brokers": client.BrokerResource,
		"broker-loggers": client.BrokerLoggerResource, "client-metrics": client.ClientMetricsResource, "groups": client.GroupResource}
	return client.Resource{Type: types[kind], Name: name}
}

// dynamicSource is where a setting of an entity comes from when somebody set it there.
func dynamicSource(ent entity) client.Source {
	switch {
	case ent.kind == "topics":
		return client.DynamicTopic
	case ent.kind == "brokers" && ent.name == "":
		return client.DynamicDefaultBroker
	case ent.kind == "brokers":
		return client.DynamicBroker
	case ent.kind == "client-metrics":
		return client.DynamicClientMetrics
	case ent.kind == "groups":
		return client.DynamicGroup
	}
	return client.DynamicBrokerLogger
}

func (f configsFace) describeResources(ctx context.Context) error {
	list, err := f.named(ctx)
	if err != nil {
		return err
	}
	for _, ent := range list {
		settings, err := f.settings(ctx, ent)
		if errors.Is(err, client.ErrUnknownTopic) {
			fmt.Fprintf(f.e.Out, "The %s '%s' doesn't exist and doesn't have dynamic config.\n", singular(ent.kind), ent.name)
			continue
		}
		if err != nil {
			return err
		}
		if err := f.print(ent, settings); err != nil {
			return err
		}
	}
	return nil
}

// settings describes one entity; a topic must exist, whatever the broker answers.
func (f configsFace) settings(ctx context.Context, ent entity) ([]client.Setting, error) {
	r := resourceOf(ent.kind, ent.name)
	all, err := f.admin.DescribeConfigs(ctx, r)
	return all[r], err
}

// named lists the entities: the one that was named, or all of its kind.
func (f configsFace) named(ctx context.Context) ([]entity, error) {
	first := f.entities[0]
	if first.named {
		return []entity{first}, nil
	}
	var out []entity
	switch first.kind {
	case "topics":
		list, err := f.admin.Topics(ctx)
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			out = append(out, entity{first.kind, t.Name, true})
		}
	case "brokers", "broker-loggers":
		cluster, err := f.admin.Cluster(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range cluster.Brokers {
			out = append(out, entity{first.kind, strconv.Itoa(int(b.ID)), true})
		}
		out = append(out, entity{first.kind, "", true})
	default:
		names, err := f.admin.ConfigResources(ctx, resourceOf(first.kind, "").Type)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			out = append(out, entity{first.kind, n, true})
		}
	}
	return out, nil
}

func (f configsFace) print(ent entity, settings []client.Setting) error {
	var b strings.Builder
	switch {
	case ent.name == "":
		fmt.Fprintf(&b, "Default configs for %s in the cluster are:\n", ent.kind)
	case f.all:
		fmt.Fprintf(&b, "All configs for %s %s are:\n", singular(ent.kind), ent.name)
	default:
		fmt.Fprintf(&b, "Dynamic configs for %s %s are:\n", singular(ent.kind), ent.name)
	}
	source := dynamicSource(ent)
	for _, s := range settings {
		if !f.all && ent.kind != "broker-loggers" && s.Source != source {
			continue
		}
		synonyms := make([]string, len(s.Synonyms))
		for i, y := range s.Synonyms {
			synonyms[i] = fmt.Sprintf("%s:%s=%s", y.Source, y.Name, valueOf(y.Value))
		}
		fmt.Fprintf(&b, "  %s=%s sensitive=%t synonyms={%s}\n", s.Name, valueOf(s.Value), s.Sensitive, strings.Join(synonyms, ", "))
	}
	_, err := fmt.Fprint(f.e.Out, b.String())
	return err
}

func (f configsFace) alterResource(ctx context.Context, add client.Config, remove []string) error {
	var ops []client.ConfigOp
	for _, k := range sortedKeys(add) {
		ops = append(ops, client.ConfigOp{Op: client.Set, Name: k, Value: add[k]})
	}
	for _, k := range remove {
		ops = append(ops, client.ConfigOp{Op: client.Delete, Name: k})
	}
	return f.admin.AlterConfigs(ctx, resourceOf(f.entities[0].kind, f.entities[0].name), ops...)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
