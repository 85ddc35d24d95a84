package api

import (
	"fmt"
	"testing"

	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// BenchmarkMetadata answers what a client refreshes: one topic, and all of
// 1,000 topics with 10 partitions.
func BenchmarkMetadata(b *testing.B) {
	n := startNode(b)
	var topics []kmsg.CreateTopicsRequestTopic
	for i := range 1000 {
		topics = append(topics, newTopic(fmt.Sprintf("topic-%d", i), 10, 1))
	}
	create(n, 7, topics...)
	one, all := metadataFor(12, "topic-500"), kmsg.NewPtrMetadataRequest()
	all.Version = 12
	for name, req := range map[string]*kmsg.MetadataRequest{"one": one, "all": all} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			c := &wire.Call{Key: 3, Version: 12, Body: req.AppendTo(nil), Client: connection("PLAINTEXT")}
			for b.Loop() {
				a := n.Serve(c).Finish(false)
				a.Release()
			}
		})
	}
}

// BenchmarkSkim walks a produce request of one partition, as every one is.
func BenchmarkSkim(b *testing.B) {
	req := kmsg.NewPtrProduceRequest()
	req.Version = 9
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: "topic", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: make([]byte, 1<<10)}}}}
	body, shape := req.AppendTo(nil), shapeOf(0, 9)
	b.ReportAllocs()
	for b.Loop() {
		if !shape.fits(body) {
			b.Fatal("refused")
		}
	}
}
