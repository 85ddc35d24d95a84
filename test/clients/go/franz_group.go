package main

import (
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (f *franz) join(r request, _ *answer) error {
	start := map[string]kgo.Offset{"earliest": kgo.NewOffset().AtStart(), "latest": kgo.NewOffset().AtEnd(), "none": kgo.NewOffset().AtCommitted()}
	opts := []kgo.Opt{kgo.ConsumerGroup(r.Group), kgo.ConsumeTopics(r.Topic), kgo.ClientID(r.Client), kgo.DisableAutoCommit(),
		kgo.ConsumeStartOffset(start[r.Reset]), kgo.SessionTimeout(r.session()), kgo.HeartbeatInterval(r.heartbeat())}
	if r.Instance != "" {
		opts = append(opts, kgo.InstanceID(r.Instance))
	}
	switch {
	case r.Consumer:
		opts = append(opts, kgo.ServerSideBalancer())
	case r.Cooperative:
		opts = append(opts, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	default:
		opts = append(opts, kgo.Balancers(kgo.RangeBalancer()))
	}
	f.reader = f.open(opts...)
	return nil
}

func (f *franz) commit(r request, _ *answer) error {
	ctx, cancel := within()
	defer cancel()
	if r.Mode == "sync" {
		return f.reader.CommitUncommittedOffsets(ctx)
	}
	done := make(chan error, 1)
	f.reader.CommitOffsets(ctx, f.reader.UncommittedOffsets(), func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
		done <- err
	})
	return <-done
}

func (f *franz) committed(r request, a *answer) error {
	ctx, cancel := within()
	defer cancel()
	got, err := f.adm.FetchOffsets(ctx, r.Group)
	if err != nil {
		return err
	}
	a.Offset = -1
	if o, ok := got.Lookup(r.Topic, r.Partition); ok {
		a.Offset = o.At
	}
	return nil
}

func (f *franz) groups(_ request, a *answer) error {
	ctx, cancel := within()
	defer cancel()
	got, err := f.adm.ListGroups(ctx)
	a.Groups = map[string]string{}
	for _, g := range got.Sorted() {
		a.Groups[g.Group] = g.ProtocolType
	}
	return err
}

func (f *franz) seek(r request, _ *answer) error {
	f.reader.SetOffsets(map[string]map[int32]kgo.EpochOffset{r.Topic: {r.Partition: {Epoch: -1, Offset: r.Offset}}})
	return nil
}

// one is the partition of a request as a map.
func (r request) one() map[string][]int32 { return map[string][]int32{r.Topic: {r.Partition}} }
