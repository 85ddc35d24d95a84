//go:build oracle

package oracle

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestSimpleCommits commits without members, as tools do, reads that back in
// every version, and deletes it.
func TestSimpleCommits(t *testing.T) {
	p := newPair(t)
	p.coordinators()
	p.topic("s", 2)
	p.topic("other-s", 1)
	p.group(nameless)
	for v := int16(0); v <= 10; v++ {
		g := p.group(fmt.Sprintf("simple-%d", v))
		for _, c := range []struct {
			name   string
			group  string
			member string
			gen    int32
			spots  []spot
			change func(*kmsg.OffsetCommitRequest)
		}{
			{"plainly", g, "", -1, []spot{{"s", 0, 5, nil}, {"s", 1, 6, ptr("half")}, {"other-s", 0, 1 << 40, ptr("")}}, nil},
			{"what is kept", g, "", -1, []spot{{"s", 0, 6, ptr("kept")}}, func(r *kmsg.OffsetCommitRequest) {
				r.RetentionTimeMillis, r.Topics[0].Partitions[0].Timestamp, r.Topics[0].Partitions[0].LeaderEpoch = 86_400_000, now(), 3
			}},
			{"nothing", g, "", -1, nil, nil},
			{"an unknown topic", g, "", -1, []spot{{"nowhere", 0, 1, nil}}, nil},
			{"an unknown partition", g, "", -1, []spot{{"s", 9, 1, nil}, {"s", -1, 1, nil}}, nil},
			{"some of each", g, "", -1, []spot{{"s", 0, 7, nil}, {"s", 9, 1, nil}, {"nowhere", 0, 1, nil}}, nil},
			{"a negative offset", g, "", -1, []spot{{"s", 0, -1, nil}, {"s", 1, -7, nil}}, nil},
			{"much metadata", g, "", -1, []spot{{"s", 0, 8, ptr(strings.Repeat("m", 4096))}}, nil},
			{"too much metadata", g, "", -1, []spot{{"s", 0, 9, ptr(strings.Repeat("m", 4097))}}, nil},
			{"much metadata of two bytes each", g, "", -1, []spot{{"s", 1, 9, ptr(strings.Repeat("ü", 3000))}}, nil},
			{"without a group", "", "", -1, []spot{{"s", 0, 1, nil}}, nil},
			{"with a generation", g, "", 3, []spot{{"s", 0, 9, nil}}, nil},
			{"as a member of no group", "simple-nowhere", "x", 3, []spot{{"s", 0, 9, nil}}, nil},
			{"as somebody", g, "somebody", -1, []spot{{"s", 0, 10, nil}}, nil},
			{"as an instance", g, "", -1, []spot{{"s", 0, 11, nil}}, func(r *kmsg.OffsetCommitRequest) {
				if v >= 7 {
					r.InstanceID = ptr("i")
				}
			}},
		} {
			p.ask("commit "+c.name, v, commits(v, c.group, c.member, c.gen, c.change, c.spots...))
		}
		p.readBack(g, v)
		p.ask("list simple ones", min(v, 5), lists(nil, nil))
		p.ask("describe a simple one", min(v, 6), describes(true, g))
	}
	for _, f := range [][2][]string{
		{{"Empty"}, nil}, {{"empty", "stable"}, {"classic"}}, {{"Stable"}, nil}, {nil, {"Classic"}}, {nil, {"consumer"}}, {{"odd"}, nil}, {nil, {"odd"}}, {{""}, {""}},
	} {
		for v := int16(4); v <= 5; v++ {
			p.ask(fmt.Sprintf("list filtered by %v", f), v, lists(f[0], f[1]))
		}
	}
	for v := int16(0); v <= 3; v++ {
		g := fmt.Sprintf("simple-%d", v)
		for _, c := range [][]string{{"nowhere"}, {""}, {g, "s"}, {"", "nowhere-s", "s-too"}} {
			p.ask(fmt.Sprintf("delete offsets of %q", c), 0, deleteOffsets(c[0], []int32{0, 9}, c[1:]...))
		}
		p.ask("delete offsets of a simple one", 0, deleteOffsets(g, []int32{1}, "s"))
		p.ask("delete offsets again", 0, deleteOffsets(g, []int32{1}, "s"))
		p.ask("fetch after deletion of offsets", 7, fetches(7, g, nil))
		p.ask("delete nothing", v, deletes())
		p.ask("delete an unknown one", v, deletes("nowhere"))
		p.ask("delete the nameless one", v, deletes(""))
		p.ask("delete several", v, deletes("simple-"+fmt.Sprint(v+4), "nowhere", ""))
		p.ask("delete a simple one", v, deletes(g))
		p.ask("fetch after deletion", 7, fetches(7, g, nil))
	}
}

func (p *pair) readBack(g string, v int16) {
	p.t.Helper()
	p.ask("fetch some", v, fetches(v, g, nil, "s", "other-s"))
	p.ask("fetch unknown ones", v, fetches(v, g, nil, "nowhere", "s"))
	p.ask("fetch of an unknown group", v, fetches(v, "simple-nowhere", nil, "s"))
	p.ask("fetch without a group", v, fetches(v, "", nil, "s"))
	p.ask("fetch no topic", v, fetches(v, g, func(_ *side, r *kmsg.OffsetFetchRequest) {
		r.Topics, r.Groups[0].Topics = []kmsg.OffsetFetchRequestTopic{}, []kmsg.OffsetFetchRequestGroupTopic{}
	}))
	if v >= 2 {
		p.ask("fetch all", v, fetches(v, g, nil))
		p.ask("fetch all of an unknown group", v, fetches(v, "simple-nowhere", nil))
	}
	if v >= 7 {
		p.ask("fetch what is stable", v, fetches(v, g, func(_ *side, r *kmsg.OffsetFetchRequest) { r.RequireStable = true }, "s"))
	}
	if v >= 8 {
		p.ask("fetch of several groups", v, fetches(v, g, func(s *side, r *kmsg.OffsetFetchRequest) {
			for _, name := range []string{"simple-nowhere", "simple-7"} {
				r.Groups = append(r.Groups, fetches(v, name, nil, "s")(s).(*kmsg.OffsetFetchRequest).Groups...)
			}
		}, "s"))
		p.ask("fetch of no group", v, fetches(v, g, func(_ *side, r *kmsg.OffsetFetchRequest) { r.Groups = nil }))
	}
	if v >= 9 {
		for _, c := range []struct {
			member *string
			epoch  int32
		}{{ptr("x"), 1}, {ptr("x"), -1}, {nil, 1}, {ptr(""), 0}} {
			p.ask(fmt.Sprintf("fetch as %s in %d", text(c.member), c.epoch), v, fetches(v, g, func(_ *side, r *kmsg.OffsetFetchRequest) {
				r.Groups[0].MemberID, r.Groups[0].MemberEpoch = c.member, c.epoch
			}, "s"))
		}
	}
}
