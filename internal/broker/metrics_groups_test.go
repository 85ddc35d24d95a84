package broker

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The lag on /metrics is what kafka-consumer-groups prints: the end that a client
// lists less the offset that it fetches.
func TestLagMetrics(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	b := start(t, t.TempDir(), groupConfig)
	defer stop(t, b)
	fill(ctx, t, b, "jobs", 3, 0, 50)
	c := client(t, b, kgo.ConsumerGroup("workers"), kgo.ConsumeTopics("jobs"), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	consume(ctx, t, c, 50)
	fill(ctx, t, b, "jobs", 3, 50, 70)
	adm := kadm.NewClient(client(t, b))
	tool := kadm.Offsets{}
	tool.AddOffset("jobs", 1, 2, -1)
	if err := adm.CommitAllOffsets(ctx, "tool", tool); err != nil {
		t.Fatal(err)
	}
	lags, err := adm.Lag(ctx, "workers", "tool")
	if err != nil {
		t.Fatal(err)
	}
	_, body := get(t, b, "/metrics")
	for _, group := range []string{"workers", "tool"} {
		sum := int64(0)
		for _, l := range lags[group].Lag.Sorted() {
			if l.Commit.At < 0 {
				continue
			}
			sum += l.Lag
			for _, line := range []string{
				fmt.Sprintf(`kafka_consumergroup_lag{consumergroup="%s",partition="%d",topic="jobs"} %d`, group, l.Partition, l.Lag),
				fmt.Sprintf(`kafka_consumergroup_current_offset{consumergroup="%s",partition="%d",topic="jobs"} %d`, group, l.Partition, l.Commit.At),
			} {
				if !strings.Contains(body, line+"\n") {
					t.Errorf("not on /metrics: %s", line)
				}
			}
		}
		for _, line := range []string{
			fmt.Sprintf(`kafka_consumergroup_lag_sum{consumergroup="%s",topic="jobs"} %d`, group, sum),
			fmt.Sprintf(`kafka_consumergroup_members{consumergroup="%s"} %d`, group, len(lags[group].Members)),
		} {
			if !strings.Contains(body, line+"\n") {
				t.Errorf("not on /metrics: %s", line)
			}
		}
	}
	if t.Failed() {
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "kafka_consumergroup") {
				t.Log(line)
			}
		}
	}
}
