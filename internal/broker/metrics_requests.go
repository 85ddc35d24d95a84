package broker

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/obs"
	"github.com/brokerd/brokerd/internal/wire"
)

// What requests, connections and syncs take, natively and by Kafka's names.

// timing counts how long requests take, by API, from the moment that a whole
// frame is there until its answer leaves.
type timing struct {
	byKey [kafkaKeys + ownKeys]*obs.Histogram
}

const (
	kafkaKeys = 128
	ownKeys   = 8
	firstOwn  = 10000
)

func newTiming(r *obs.Registry, keys []int16) *timing {
	t := &timing{}
	h := r.Durations("brokerd_request_duration_seconds", "Time from a complete request to its answer's leaving.", "api")
	for _, k := range keys {
		if at, ok := slotOf(k); ok {
			t.byKey[at] = h.With(apiName(k))
		}
	}
	return t
}

func (t *timing) observe(key int16, d time.Duration) {
	if at, ok := slotOf(key); ok && t.byKey[at] != nil {
		t.byKey[at].Observe(d)
	}
}

func slotOf(key int16) (int, bool) {
	switch {
	case key >= 0 && key < kafkaKeys:
		return int(key), true
	case key >= firstOwn && key < firstOwn+ownKeys:
		return kafkaKeys + int(key-firstOwn), true
	}
	return 0, false
}

// keyOf is the inverse of slotOf.
func keyOf(slot int) int16 {
	if slot < kafkaKeys {
		return int16(slot)
	}
	return int16(firstOwn + slot - kafkaKeys)
}

func apiName(key int16) string {
	switch key {
	case wire.KeyDescribeReplicas:
		return "DescribeReplicas"
	case wire.KeyOpenRaftStream:
		return "OpenRaftStream"
	case wire.KeyDescribeNode:
		return "DescribeNode"
	case wire.KeyReportFault:
		return "ReportFault"
	}
	return kmsg.NameForKey(key)
}

var failureFamilies = []obs.Family{
	{Name: "brokerd_request_errors_total", Help: "Error codes in answers, by API: one for each partition, topic or group that has one. What another node asked for in a client's name counts at the controller.", Kind: obs.CounterKind, Labels: []string{"api", "error"}},
}

func (b *Broker) collectFailures(s *obs.Scrape) {
	b.failures.Each(func(key, code int16, n int64) { s.Emit(0, float64(n), apiName(key), errorName(code)) })
}

func errorName(code int16) string {
	if k, ok := kerr.ErrorForCode(code).(*kerr.Error); ok {
		return k.Message
	}
	return kerr.UnknownServerError.Message
}

var kafkaRequestFamilies = []obs.Family{
	{Name: "kafka_network_requestmetrics_errors_total", Help: "Error codes in answers, by API; those without error are in requests_total.", Kind: obs.CounterKind, Labels: []string{"request", "error"}},
	{Name: "kafka_network_requestmetrics_requests_total", Help: "Requests answered, by API.", Kind: obs.CounterKind, Labels: []string{"request"}},
	{Name: "kafka_network_requestmetrics_totaltimems", Help: "Time from a complete request to its answer, in ms.", Kind: obs.SummaryKind, Labels: []string{"request"}},
	{Name: "kafka_log_logflushstats_logflushrateandtimems", Help: "Time of a round of syncs of a log directory, in ms.", Kind: obs.SummaryKind},
}

var quantiles = []float64{0.5, 0.75, 0.95, 0.99, 0.999}

func (b *Broker) collectKafkaRequests(s *obs.Scrape) {
	b.collectFailures(s)
	for at, h := range b.timing.byKey {
		if h == nil {
			continue
		}
		name := apiName(keyOf(at))
		d := h.Read()
		s.Emit(1, float64(d.Count), name)
		s.EmitDistribution(2, d, 1000, quantiles, name)
	}
	s.EmitDistribution(3, b.syncs.Read(), 1000, quantiles)
}

var socketFamilies = []obs.Family{
	{Name: "kafka_server_socket_server_metrics_connection_count", Help: "Open connections.", Kind: obs.GaugeKind, Labels: []string{"listener"}},
	{Name: "kafka_server_socket_server_metrics_connection_creation_rate", Help: "Connections accepted per second, over the last 15 s or more.", Kind: obs.GaugeKind, Labels: []string{"listener"}},
	{Name: "kafka_server_socket_server_metrics_connection_close_rate", Help: "Connections ended per second, over the last 15 s or more.", Kind: obs.GaugeKind, Labels: []string{"listener"}},
	{Name: "kafka_server_socket_server_metrics_connections_software", Help: "Open connections, by what the client says it is; those beyond 100 are other.", Kind: obs.GaugeKind, Labels: []string{"clientSoftwareName", "clientSoftwareVersion"}},
	{Name: "kafka_network_requestchannel_requestqueuesize", Help: "Requests that wait to be taken up: no queue is kept, their connections wait for memory.", Kind: obs.GaugeKind},
}

// socketRates remembers what the rates are taken against.
type socketRates struct {
	b              *Broker
	opened, closed sync.Map // of a listener's name: *obs.Rate
}

func (r *socketRates) collect(s *obs.Scrape) {
	st, now := r.b.server.Stats(), time.Now()
	rate := func(of *sync.Map, listener string, total int64) float64 {
		known, _ := of.LoadOrStore(listener, new(obs.Rate))
		return known.(*obs.Rate).Of(now, float64(total))
	}
	for name, open := range st.Connections {
		s.Emit(0, float64(open), name)
		s.Emit(1, rate(&r.opened, name, st.Accepted[name]), name)
		s.Emit(2, rate(&r.closed, name, st.Accepted[name]-int64(open)), name)
	}
	for is, n := range st.Software {
		s.Emit(3, float64(n), is.Name, is.Version)
	}
	s.Emit(4, float64(st.MemoryQueued))
}
