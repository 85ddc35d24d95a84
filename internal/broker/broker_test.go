package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/vfs"
)

// start runs a broker on free loopback ports with its data in dir.
func start(t testing.TB, dir string, more map[string]string) *Broker {
	t.Helper()
	b, err := New(t.Context(), testOptions(t, dir, more))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testOptions(t testing.TB, dir string, more map[string]string) Options {
	t.Helper()
	values := map[string]string{
		"listeners": "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0", "controller.listener.names": "CONTROLLER",
		"advertised.listeners": "PLAINTEXT://127.0.0.1:0",
		"log.dirs":             filepath.Join(dir, "data"), "http.address": "127.0.0.1:0",
	}
	for k, v := range more {
		values[k] = v
	}
	c, err := conf.New(values)
	if err != nil {
		t.Fatal(err)
	}
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	return Options{
		Conf: c, Version: "test", Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level})),
		OnPanic: func(v any, stack []byte) { t.Errorf("a request panicked: %v\n%s", v, stack) },
	}
}

func stop(t testing.TB, b *Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func client(t testing.TB, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.Addr()))...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRecordsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b := start(t, dir, nil)
	c := client(t, b)
	if _, err := kadm.NewClient(c).CreateTopic(ctx, 3, 1, nil, "greetings"); err != nil {
		t.Fatal(err)
	}
	const records = 100
	for i := range records {
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: "greetings", Value: fmt.Appendf(nil, "hello %d", i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	stop(t, b)

	b = start(t, dir, nil)
	defer stop(t, b)
	c = client(t, b, kgo.ConsumeTopics("greetings"))
	defer c.Close()
	got := 0
	for got < records {
		f := c.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("after %d records: %v", got, err)
		}
		got += f.NumRecords()
	}
}

// get asks the HTTP port.
func get(t testing.TB, b *Broker, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + b.HTTPAddr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestHealthAndMetrics(t *testing.T) {
	b := start(t, t.TempDir(), nil)
	defer stop(t, b)
	get := func(path string) (int, string) { return get(t, b, path) }
	if code, body := get("/healthz"); code != 200 {
		t.Errorf("/healthz: %d %s", code, body)
	}
	code, body := get("/readyz")
	var h health
	if err := json.Unmarshal([]byte(body), &h); err != nil || code != 200 || h.Status != "ready" {
		t.Errorf("/readyz: %d %s %v", code, body, err)
	}
	c := client(t, b, kgo.AllowAutoTopicCreation())
	defer c.Close()
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	_, body = get("/metrics")
	for _, name := range []string{
		"brokerd_controller_active 1", `brokerd_connections{listener="PLAINTEXT"}`, `brokerd_request_duration_seconds_count{api="ApiVersions"}`,
		"kafka_controller_kafkacontroller_activecontrollercount 1", "kafka_server_replicamanager_underminisrpartitioncount 0",
		`kafka_network_requestmetrics_requests_total{request="ApiVersions"} `, `kafka_network_requestmetrics_totaltimems{request="ApiVersions",quantile="0.99"}`,
		"brokerd_unclean_elections_total 0", "brokerd_isr_shrinks_total 0", "kafka_server_replicamanager_atminisrpartitioncount 1",
		"kafka_controller_controllerstats_uncleanleaderelections_total 0", "kafka_server_replicafetchermanager_maxlag 0",
		`kafka_server_brokertopicmetrics_messagesin_total{topic="t"} 1`, `kafka_server_brokertopicmetrics_bytesin_total{topic="t"}`,
	} {
		if !strings.Contains(body, name) {
			t.Errorf("%s is not in /metrics:\n%s", name, body)
		}
	}
}

func TestLockFileThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, lockFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := lockDirs(vfs.NewOS(), []string{dir}); err == nil || strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), "cannot be written") {
		t.Fatalf("got %v", err)
	}
}

// The metadata may lie on a disk of its own (metadata.log.dir).
func TestMetadataOnADiskOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	apart := map[string]string{"metadata.log.dir": filepath.Join(dir, "metadata") + "/"}
	b := start(t, dir, apart)
	c := client(t, b)
	defer c.Close()
	if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), testOptions(t, t.TempDir(), apart)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second broker on the metadata directory: %v", err)
	}
	stop(t, b)
	if _, err := os.Stat(filepath.Join(dir, "data", "raft")); err == nil {
		t.Error("the metadata is beside the logs")
	}
	b = start(t, dir, apart)
	defer stop(t, b)
	if _, ok := b.catalog.Image().TopicNamed("t"); !ok {
		t.Error("the topic is lost")
	}
}

// A newer release has raised the feature level, and no snapshot says so yet: the
// start ends with the reason, and does not wait for ever.
func TestLevelOfTheFuture(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir, nil)
	stop(t, b)
	stores, err := controller.OpenBolt(filepath.Join(dir, "data", "raft"), slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	last, err := stores.Log.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	var l raft.Log
	if err := stores.Log.GetLog(last, &l); err != nil {
		t.Fatal(err)
	}
	l.Index, l.Type, l.Data = last+1, raft.LogCommand, meta.EncodeEntry([]meta.Command{meta.SetFeatureLevel{Level: meta.MaxLevel + 1}})
	if err := errors.Join(stores.Log.StoreLog(&l), stores.Closer.Close()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := New(ctx, testOptions(t, dir, nil)); !errors.Is(err, meta.ErrTooNew) {
		t.Fatal(err)
	}
}

func TestTwoBrokersOnOneDirectory(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir, nil)
	defer stop(t, b)
	if _, err := New(t.Context(), testOptions(t, dir, nil)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("a second broker on the directory: %v", err)
	}
}

// What a clean stop has written, it acknowledges: a producer that does not retry
// finds in the log exactly the records that it was told of.
func TestStopAcknowledgesWhatIsWritten(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	b := start(t, dir, nil)
	c := client(t, b, kgo.DisableIdempotentWrite(), kgo.RecordRetries(0), kgo.AllowAutoTopicCreation(), kgo.ProducerLinger(0),
		kgo.MaxProduceRequestsInflightPerBroker(64), kgo.DefaultProduceTopic("t"))
	var acked atomic.Int64
	produce := func() {
		c.Produce(ctx, &kgo.Record{Value: []byte("x")}, func(_ *kgo.Record, err error) {
			if err == nil {
				acked.Add(1)
			}
		})
	}
	stopped := make(chan struct{})
	go func() { // ends with the broker
		defer close(stopped)
		for b.http.draining.Load() == false || acked.Load() == 0 {
			produce()
		}
		for range 100 {
			produce()
		}
	}()
	for acked.Load() < 1000 {
		runtime.Gosched()
	}
	stop(t, b)
	<-stopped
	c.Close()
	b = start(t, dir, nil)
	defer stop(t, b)
	c = client(t, b)
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	if end, _ := ends.Lookup("t", 0); end.Offset != acked.Load() {
		t.Errorf("%d records acknowledged, %d in the log", acked.Load(), end.Offset)
	}
}
