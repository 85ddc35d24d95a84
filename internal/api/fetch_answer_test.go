package api

import (
	"testing"

	"github.com/brokerd/brokerd/internal/catalog"
	"github.com/brokerd/brokerd/internal/replica"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestFetchAnswerDecodes writes every version by hand and reads it by kmsg.
func TestFetchAnswerDecodes(t *testing.T) {
	for v := int16(0); v <= 18; v++ {
		f := &fetchCall{d: Deps{Catalog: catalog.NewStore()}, reply: wire.Reply{Key: 1, Version: v, Correlation: 9}, sessionID: 77, olds: new(oldAnswers)}
		f.refs.Store(2)
		f.release = f.sent
		id := step.TopicID{1, 2}
		view := storage.View{Start: 3, HighWatermark: 40, LastStable: 39, End: 50}
		f.parts = []fetching{
			{topic: "a", id: id, partition: 0, read: replica.Reading{View: view}},
			{topic: "a", id: id, partition: 1, read: replica.Reading{View: view}},
			{topic: "b", id: step.TopicID{2}, partition: 5, err: kerr.OffsetOutOfRange},
			{topic: "a", id: id, partition: 2, read: replica.Reading{View: view, Diverged: true, DivergedEpoch: 4, DivergedEnd: 11}},
		}
		a := f.answer()
		resp := kmsg.NewPtrFetchResponse()
		resp.SetVersion(v)
		body := a.Frame[8:]
		if v >= 12 {
			body = body[1:]
		}
		if err := resp.ReadFrom(body); err != nil {
			t.Fatalf("v%d: %v", v, err)
		}
		if got := resp.AppendTo(nil); !cmp.Equal(got, body) {
			t.Errorf("v%d: kmsg writes %x, we %x", v, got, body)
		}
		if len(resp.Topics) != 3 || len(resp.Topics[0].Partitions) != 2 {
			t.Fatalf("v%d: %+v", v, resp.Topics)
		}
		p := resp.Topics[0].Partitions[0]
		if p.HighWatermark != 40 || v >= 4 && p.LastStableOffset != 39 {
			t.Errorf("v%d: %+v", v, p)
		}
		if q := resp.Topics[1].Partitions[0]; q.ErrorCode != kerr.OffsetOutOfRange.Code || q.HighWatermark != -1 {
			t.Errorf("v%d: %+v", v, q)
		}
		if d := resp.Topics[2].Partitions[0].DivergingEpoch; v >= 12 && (d.Epoch != 4 || d.EndOffset != 11) {
			t.Errorf("v%d: diverging %+v", v, d)
		}
		if v >= 7 && resp.SessionID != 77 {
			t.Errorf("v%d: session %d", v, resp.SessionID)
		}
		a.Release()
	}
}
