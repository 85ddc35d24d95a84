package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// anyDir in a reassignment leaves the log directory to the broker.
const anyDir = "any"

// reassignment is what a file of kafka-reassign-partitions asks for.
type reassignment struct {
	parts []client.Assignment // in the order of the file
	dirs  map[client.ReplicaID]string
}

// parseReassignment reads such a file.
func parseReassignment(text string) (reassignment, error) {
	var doc struct {
		Version    *int `json:"version"`
		Partitions []struct {
			Topic     *string  `json:"topic"`
			Partition *int32   `json:"partition"`
			Replicas  []int32  `json:"replicas"`
			Dirs      []string `json:"log_dirs"`
		} `json:"partitions"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return reassignment{}, throwf(operationFailed, "the reassignment is no JSON of the form {\"version\":1,\"partitions\":[…]}: %v", err)
	}
	if doc.Version != nil && *doc.Version != 1 {
		return reassignment{}, throwf(operationFailed, "Not supported version field value %d", *doc.Version)
	}
	out := reassignment{dirs: map[client.ReplicaID]string{}}
	for _, p := range doc.Partitions {
		for _, f := range []struct {
			name  string
			lacks bool
		}{{"topic", p.Topic == nil}, {"partition", p.Partition == nil}, {"replicas", p.Replicas == nil}} {
			if f.lacks {
				return reassignment{}, throwf(badField, "No such field exists: `%s`", f.name)
			}
		}
		id := client.Partition{Topic: *p.Topic, Partition: *p.Partition}
		if p.Dirs != nil && len(p.Dirs) != len(p.Replicas) {
			return reassignment{}, throwf(commandFailed, "Size of replicas list [%s] is different from size of log dirs list [%s] for partition %s",
				join(p.Replicas, ", "), strings.Join(p.Dirs, ", "), id)
		}
		out.parts = append(out.parts, client.Assignment{Partition: id, Replicas: p.Replicas})
		for i, dir := range p.Dirs {
			if dir != anyDir {
				out.dirs[client.ReplicaID{Partition: id, Broker: p.Replicas[i]}] = dir
			}
		}
	}
	return out, nil
}

// check refuses what cannot be carried out.
func (r reassignment) check() error {
	if len(r.parts) == 0 {
		return throwf(commandFailed, "Partition reassignment list cannot be empty")
	}
	var ids []string
	var twice []string
	for _, p := range r.parts {
		if len(p.Replicas) == 0 {
			return throwf(commandFailed, "Partition replica list cannot be empty")
		}
		ids = append(ids, p.String())
		if again := repeated(p.Replicas); len(again) > 0 {
			twice = append(twice, fmt.Sprintf("%s contains multiple entries for %s", p.Partition, join(again, ",")))
		}
	}
	if again := repeated(ids); len(again) > 0 {
		return throwf(commandFailed, "Partition reassignment contains duplicate topic partitions: %s", strings.Join(again, ","))
	}
	if len(twice) > 0 {
		return throwf(commandFailed, "Partition replica lists may not contain duplicate entries: %s", strings.Join(twice, ". "))
	}
	return nil
}

func (r reassignment) partitions() []client.Partition {
	out := make([]client.Partition, len(r.parts))
	for i, p := range r.parts {
		out[i] = p.Partition
	}
	slices.SortFunc(out, client.ComparePartitions)
	return out
}

// topics are the names in it, each once, in order.
func (r reassignment) topics() []string {
	var out []string
	for _, p := range r.partitions() {
		if n := len(out); n == 0 || out[n-1] != p.Topic {
			out = append(out, p.Topic)
		}
	}
	return out
}

// replicas are those whose log directory is named, in order.
func (r reassignment) replicas() []client.ReplicaID {
	out := make([]client.ReplicaID, 0, len(r.dirs))
	for id := range r.dirs {
		out = append(out, id)
	}
	slices.SortFunc(out, client.CompareReplicas)
	return out
}

// parseTopicsToMove reads the file of --generate.
func parseTopicsToMove(text string) ([]string, error) {
	var doc struct {
		Version *int `json:"version"`
		Topics  []struct {
			Topic *string `json:"topic"`
		} `json:"topics"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, throwf(operationFailed, "The input string is not a valid JSON")
	}
	if doc.Version != nil && *doc.Version != 1 {
		return nil, throwf(operationFailed, "Not supported version field value %d", *doc.Version)
	}
	var out []string
	for _, t := range doc.Topics {
		if t.Topic == nil {
			return nil, throwf(badField, "No such field exists: `topic`")
		}
		out = append(out, *t.Topic)
	}
	return out, nil
}

// assignmentJSON is the form that --reassignment-json-file reads, with the log
// directories that are known.
func assignmentJSON(list []client.Assignment, dirs map[client.ReplicaID]string) string {
	var b strings.Builder
	b.WriteString(`{"version":1,"partitions":[`)
	for i, p := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		names := make([]string, len(p.Replicas))
		for k, id := range p.Replicas {
			names[k] = quoted(cmp.Or(dirs[client.ReplicaID{Partition: p.Partition, Broker: id}], anyDir))
		}
		fmt.Fprintf(&b, `{"topic":%s,"partition":%d,"replicas":[%s],"log_dirs":[%s]}`,
			quoted(p.Topic), p.Partition.Partition, join(p.Replicas, ","), strings.Join(names, ","))
	}
	b.WriteString("]}")
	return b.String()
}

// quoted is a text in JSON.
func quoted(text string) string {
	b, _ := json.Marshal(text) // a text always is
	return string(b)
}

// brokerIDs reads 1,2,3.
func brokerIDs(text string) ([]int32, error) {
	var out []int32
	for _, s := range strings.Split(text, ",") {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return nil, throwf(badNumber, "For input string: %q", s)
		}
		out = append(out, int32(n))
	}
	return out, nil
}

// repeated lists what a list has more than once.
func repeated[T comparable](list []T) (out []T) {
	seen := map[T]int{}
	for _, v := range list {
		if seen[v]++; seen[v] == 2 {
			out = append(out, v)
		}
	}
	return out
}
