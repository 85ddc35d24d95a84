package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

type franz struct {
	bootstrap string
	adm       *kadm.Client
	producers map[string]*kgo.Client
	reader    *kgo.Client
}

func newFranz(bootstrap string) client {
	f := &franz{bootstrap: bootstrap, producers: map[string]*kgo.Client{}}
	f.adm = kadm.NewClient(f.open())
	return f
}

func (f *franz) open(opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(f.bootstrap))...)
	if err != nil {
		panic(err)
	}
	return c
}

func within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

func (f *franz) code(err error) int {
	var k *kerr.Error
	if errors.As(err, &k) {
		return int(k.Code)
	}
	return 0
}

func (f *franz) calls() map[string]func(request, *answer) error {
	return map[string]func(request, *answer) error{
		"create": f.create, "describe": f.describe, "list": f.list, "delete": f.delete, "grow": f.grow,
		"configs": f.configs, "alter": f.alter, "trim": f.trim, "produce": f.produce, "offset": f.offset,
		"open": f.openReader, "poll": f.poll, "close": f.close,
		"join": f.join, "commit": f.commit, "committed": f.committed, "groups": f.groups, "seek": f.seek,
		"pause":  func(r request, _ *answer) error { f.reader.PauseFetchPartitions(r.one()); return nil },
		"resume": func(r request, _ *answer) error { f.reader.ResumeFetchPartitions(r.one()); return nil },
	}
}

func (f *franz) create(r request, _ *answer) error {
	ctx, cancel := within()
	defer cancel()
	set := map[string]*string{}
	for k, v := range r.Configs {
		set[k] = &v
	}
	_, err := f.adm.CreateTopic(ctx, int32(r.Partitions), int16(r.Replication), set, r.Topic)
	return err
}

func (f *franz) describe(r request, a *answer) error {
	ctx, cancel := within()
	defer cancel()
	found, err := f.adm.ListTopics(ctx, r.Topic)
	if err != nil {
		return err
	}
	if err := found[r.Topic].Err; err != nil {
		return err
	}
	for _, p := range found[r.Topic].Partitions {
		a.Layout = append(a.Layout, layout{p.Partition, p.Leader, p.Replicas, p.ISR})
	}
	return nil
}

func (f *franz) list(_ request, a *answer) error {
	ctx, cancel := within()
	defer cancel()
	found, err := f.adm.ListTopics(ctx)
	a.Topics = found.Names()
	return err
}

func (f *franz) delete(r request, _ *answer) error {
	ctx, cancel := within()
	defer cancel()
	_, err := f.adm.DeleteTopic(ctx, r.Topic)
	return err
}

func (f *franz) grow(r request, _ *answer) error {
	ctx, cancel := within()
	defer cancel()
	got, err := f.adm.UpdatePartitions(ctx, r.Partitions, r.Topic)
	if err != nil {
		return err
	}
	return got.Error()
}

func (f *franz) configs(r request, a *answer) error {
	ctx, cancel := within()
	defer cancel()
	got, err := f.adm.DescribeTopicConfigs(ctx, r.Topic)
	if err != nil {
		return err
	}
	a.Config = map[string]string{}
	for _, c := range got[0].Configs {
		a.Config[c.Key] = c.MaybeValue()
	}
	return got[0].Err
}

func (f *franz) alter(r request, _ *answer) error {
	ctx, cancel := within()
	defer cancel()
	var set []kadm.AlterConfig
	for k, v := range r.Configs {
		set = append(set, kadm.AlterConfig{Name: k, Value: &v})
	}
	got, err := f.adm.AlterTopicConfigs(ctx, set, r.Topic)
	if err != nil {
		return err
	}
	return got[0].Err
}

func (f *franz) trim(r request, _ *answer) error {
	ctx, cancel := within()
	defer cancel()
	o := kadm.Offsets{}
	o.Add(kadm.Offset{Topic: r.Topic, Partition: r.Partition, At: r.Offset})
	got, err := f.adm.DeleteRecords(ctx, o)
	if err != nil {
		return err
	}
	return got.Error()
}

func (f *franz) producer(r request) *kgo.Client {
	key := fmt.Sprint(r.Acks, r.Codec, r.Idempotent)
	if f.producers[key] == nil {
		codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
			"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
		acks := map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks()}
		opts := []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codecs[r.Codec]),
			kgo.RequiredAcks(acks[r.Acks]), kgo.ProducerBatchMaxBytes(largest), kgo.BrokerMaxWriteBytes(2 * largest),
			kgo.UnknownTopicRetries(10), kgo.AllowAutoTopicCreation()}
		if !r.Idempotent {
			opts = append(opts, kgo.DisableIdempotentWrite())
		}
		f.producers[key] = f.open(opts...)
	}
	return f.producers[key]
}

func (f *franz) produce(r request, a *answer) error {
	ctx, cancel := within()
	defer cancel()
	var sent []*kgo.Record
	for _, x := range r.Records {
		k := &kgo.Record{Topic: r.Topic, Partition: x.Partition, Key: x.Key, Value: x.Value}
		if x.Timestamp != 0 {
			k.Timestamp = millis(x.Timestamp)
		}
		for _, h := range x.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		sent = append(sent, k)
	}
	if err := f.producer(r).ProduceSync(ctx, sent...).FirstErr(); err != nil {
		return err
	}
	for _, k := range sent {
		a.Offsets = append(a.Offsets, k.Offset)
	}
	return nil
}

func (f *franz) offset(r request, a *answer) error {
	ctx, cancel := within()
	defer cancel()
	var got kadm.ListedOffsets
	var err error
	switch r.At.At {
	case "start":
		got, err = f.adm.ListStartOffsets(ctx, r.Topic)
	case "end":
		got, err = f.adm.ListEndOffsets(ctx, r.Topic)
	case "time":
		got, err = f.adm.ListOffsetsAfterMilli(ctx, r.At.N, r.Topic)
	}
	if err != nil {
		return err
	}
	o, _ := got.Lookup(r.Topic, r.At.Partition)
	a.Offset = o.Offset
	return o.Err
}

func (f *franz) openReader(r request, _ *answer) error {
	from := map[int32]kgo.Offset{}
	for _, p := range r.From {
		switch p.At {
		case "start":
			from[p.Partition] = kgo.NewOffset().AtStart()
		case "end": // resolved now, not at the first poll
			var a answer
			if err := f.offset(request{Topic: r.Topic, At: p}, &a); err != nil {
				return err
			}
			from[p.Partition] = kgo.NewOffset().At(a.Offset)
		case "offset":
			from[p.Partition] = kgo.NewOffset().At(p.N)
		case "time":
			from[p.Partition] = kgo.NewOffset().AfterMilli(p.N)
		}
	}
	f.reader = f.open(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Topic: from}), kgo.FetchMaxPartitionBytes(largest))
	return nil
}

func (f *franz) poll(r request, a *answer) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout())
	defer cancel()
	for len(a.Records) < r.Count && ctx.Err() == nil {
		fetches := f.reader.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				return e.Err
			}
		}
		for _, k := range fetches.Records() {
			x := record{Partition: k.Partition, Offset: k.Offset, Timestamp: k.Timestamp.UnixMilli(), Key: k.Key, Value: k.Value}
			for _, h := range k.Headers {
				x.Headers = append(x.Headers, header{h.Key, h.Value})
			}
			a.Records = append(a.Records, x)
		}
	}
	return nil
}

func (f *franz) close(request, *answer) error {
	f.reader.Close()
	return nil
}
