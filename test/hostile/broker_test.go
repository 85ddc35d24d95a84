//go:build hostile

package hostile

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/harness"
	"github.com/brokerd/brokerd/test/raw"
)

// victim is the broker under attack, seen from outside.
type victim struct {
	t    testing.TB
	node *harness.Node
}

// state is what its metrics and /proc say at one moment.
type state struct {
	panics, accepted, open, goroutines float64
	closed                             map[string]float64 // by reason
	rss                                int64              // bytes
	descriptors                        int
}

func (v victim) state() state {
	v.t.Helper()
	resp, err := http.Get(v.node.AdminURL() + "/metrics")
	if err != nil {
		v.t.Fatalf("the broker does not answer for its metrics: %v\n%s", err, v.node.Output())
	}
	defer resp.Body.Close()
	s := state{closed: map[string]float64{}, rss: v.rss()}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		at := strings.LastIndexByte(lines.Text(), ' ') // a label may hold spaces
		if at < 0 {
			continue
		}
		n, _ := strconv.ParseFloat(lines.Text()[at+1:], 64) // comments are no numbers
		name, label, _ := strings.Cut(lines.Text()[:at], "{")
		switch name {
		case "brokerd_request_panics_total":
			s.panics += n
		case "brokerd_connections_accepted_total":
			s.accepted += n
		case "brokerd_connections":
			s.open += n
		case "go_goroutines":
			s.goroutines = n
		case "brokerd_connections_closed_total":
			s.closed[strings.Trim(strings.TrimPrefix(label, "reason="), "\"}")] += n
		}
	}
	if err := lines.Err(); err != nil || s.goroutines == 0 {
		v.t.Fatalf("the metrics cannot be read, or do not tell the goroutines: %v", err)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", v.node.Pid()))
	if err != nil {
		v.t.Fatal(err)
	}
	s.descriptors = len(fds)
	return s
}

// rss is the resident memory now; 0 when the process is gone.
func (v victim) rss() int64 { return v.status("VmRSS:") }

// peak is the largest resident memory since resetPeak.
func (v victim) peak() int64 { return v.status("VmHWM:") }

func (v victim) status(name string) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.node.Pid()))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(b), name)
	kb, err := strconv.ParseInt(strings.Fields(after + " 0")[0], 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}

// resetPeak lets the kernel measure the peak from here on.
func (v victim) resetPeak() {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", v.node.Pid()), []byte("5"), 0); err != nil {
		v.t.Fatalf("reset the peak of memory: %v", err)
	}
}

// topic creates a topic and gives its name and id.
func (v victim) topic(name string, partitions int32, config ...string) target {
	v.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	for i := 0; i < len(config); i += 2 {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: config[i], Value: &config[i+1]})
	}
	req.TimeoutMillis, req.Topics = 10_000, append(req.Topics, t)
	got := v.do(7, req).(*kmsg.CreateTopicsResponse).Topics[0]
	if got.ErrorCode != 0 {
		v.t.Fatalf("create %s: error %d", name, got.ErrorCode)
	}
	return target{name, got.TopicID}
}

func (v victim) do(version int16, req kmsg.Request) kmsg.Response {
	v.t.Helper()
	c, err := raw.Dial(v.node.Addr())
	if err != nil {
		v.t.Fatal(err)
	}
	defer c.Close()
	resp, err := c.Do(version, req)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp
}

// apis asks the broker what it serves, as one of its own kind.
func (v victim) apis() (all []api) {
	v.t.Helper()
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "brokerd", "hostile"
	for _, k := range v.do(3, req).(*kmsg.ApiVersionsResponse).ApiKeys {
		for version := k.MinVersion; version <= k.MaxVersion; version++ {
			all = append(all, api{k.ApiKey, version})
		}
	}
	return all
}
