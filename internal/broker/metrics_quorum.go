package broker

import (
	"time"

	"github.com/brokerd/brokerd/internal/obs"
)

// What this node's member of the metadata quorum does, natively and by Kafka's
// names, where it is a raft of its own.

var quorumFamilies = []obs.Family{
	{Name: "brokerd_quorum_commits_total", Help: "Entries of the metadata log that this node has proposed and committed.", Kind: obs.CounterKind},
	{Name: "brokerd_quorum_commit_seconds_total", Help: "Time from their proposal until they were applied here.", Kind: obs.CounterKind},
}

func (b *Broker) collectQuorum(s *obs.Scrape) {
	st := b.control.Standing()
	s.Emit(0, float64(st.Commits))
	s.Emit(1, st.CommitTime.Seconds())
}

var kafkaQuorumFamilies = []obs.Family{
	{Name: "kafka_server_raftmetrics_current_leader", Help: "Node that leads the metadata quorum, -1: none is known.", Kind: obs.GaugeKind},
	{Name: "kafka_server_raftmetrics_current_epoch", Help: "Term of the metadata quorum.", Kind: obs.GaugeKind},
	{Name: "kafka_server_raftmetrics_current_vote", Help: "Node that this one voted for in this term, -1: none.", Kind: obs.GaugeKind},
	{Name: "kafka_server_raftmetrics_high_watermark", Help: "Index after the last committed entry of the metadata log.", Kind: obs.GaugeKind},
	{Name: "kafka_server_raftmetrics_log_end_offset", Help: "Index after the last entry of the metadata log here.", Kind: obs.GaugeKind},
	{Name: "kafka_server_raftmetrics_commit_latency_avg", Help: "Time that an entry took until it was committed, in ms, on the node that leads; over the last 15 s or more.", Kind: obs.GaugeKind},
	{Name: "kafka_server_raftmetrics_append_records_rate", Help: "Entries appended per second by the node that leads, over the last 15 s or more.", Kind: obs.GaugeKind},
	{Name: "kafka_server_raftmetrics_fetch_records_rate", Help: "Entries taken from the leader per second, over the last 15 s or more.", Kind: obs.GaugeKind},
	{Name: "kafka_server_raftmetrics_current_state", Help: "1 under the state of this member: leader, candidate, follower, observer, unattached.", Kind: obs.Untyped, Labels: []string{"current_state"}},
}

// quorumRates remembers what the rates are taken against.
type quorumRates struct {
	b                      *Broker
	commits, time, entries obs.Rate
}

func (r *quorumRates) collect(s *obs.Scrape) {
	st, now := r.b.control.Standing(), time.Now()
	latency := 0.0
	commits, spent := r.commits.Of(now, float64(st.Commits)), r.time.Of(now, st.CommitTime.Seconds())
	if commits > 0 {
		latency = 1000 * spent / commits
	}
	appended, fetched := r.entries.Of(now, float64(st.LogEnd)), 0.0
	if st.State != "leader" {
		appended, fetched = 0, appended
	}
	for i, v := range []float64{float64(st.Leader), float64(st.Term), float64(st.Vote), float64(st.HighWatermark), float64(st.LogEnd), latency, appended, fetched} {
		s.Emit(i, v)
	}
	s.Emit(8, 1, st.State)
}
