package replica

import (
	"testing"

	"pgregory.net/rapid"
)

// TestTicketQueueAgainstSlice compares random adds, pops and removals with a
// sorted slice.
func TestTicketQueueAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q ticketQueue
		var model []*Ticket
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				x := &Ticket{need: rapid.Int64Range(0, 50).Draw(t, "need")}
				q.add(x)
				at := len(model)
				for at > 0 && model[at-1].need > x.need {
					at--
				}
				model = append(model[:at], append([]*Ticket{x}, model[at:]...)...)
			},
			"pop": func(t *rapid.T) {
				reached := rapid.Int64Range(0, 50).Draw(t, "reached")
				var out list[Ticket]
				q.pop(reached, &out)
				out.drain(func(x *Ticket) {
					if x.link.in {
						t.Fatal("a popped ticket can still be cancelled")
					}
					if len(model) == 0 || model[0] != x || x.need > reached {
						t.Fatalf("popped %d, model has %d", x.need, len(model))
					}
					model = model[1:]
				})
				if len(model) > 0 && model[0].need <= reached {
					t.Fatalf("%d is still queued at %d", model[0].need, reached)
				}
			},
			"remove": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "i")
				q.remove(&model[i].link)
				model = append(model[:i], model[i+1:]...)
			},
			"": func(t *rapid.T) {
				i := 0
				var prev *link[Ticket]
				for l := q.head; l != nil; prev, l = l, l.next {
					if i >= len(model) || l.of != model[i] || l.prev != prev || !l.in {
						t.Fatalf("element %d differs", i)
					}
					i++
				}
				if i != len(model) || q.tail != prev {
					t.Fatalf("%d elements, model has %d", i, len(model))
				}
			},
		})
	})
}
