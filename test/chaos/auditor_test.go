//go:build chaos

package chaos

import (
	"fmt"
	"hash/fnv"
	"strings"
	"testing"
)

// record is what a producer has sent: the seq-th of its own.
type record struct {
	producer string
	seq      int64
}

// text is the record's value, which follows from its name: any other bytes are
// found out.
func (r record) text() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%d", r.producer, r.seq)
	sum := h.Sum64()
	return fmt.Sprintf("%s/%d/%s", r.producer, r.seq, strings.Repeat(fmt.Sprintf("%016x", sum), int(sum%20)))
}

func parseRecord(value string) (r record, ok bool) {
	parts := strings.SplitN(value, "/", 3)
	if len(parts) != 3 {
		return r, false
	}
	r.producer = parts[0]
	_, err := fmt.Sscan(parts[1], &r.seq)
	return r, err == nil && r.text() == value
}

// once says whether a producer's records may be there only once, and in order.
func once(producer string) bool { return strings.HasPrefix(producer, "idempotent") }

// history is what the producers know of one partition.
type history struct {
	acked map[int64]record // by offset
	sent  map[string]int64 // per producer, how many it has sent, to any partition
}

// audit compares the replicas of one partition with what its producers know. It
// gives every difference: lost, duplicated, reordered, phantom, other bytes, and
// replicas that are not the same.
func audit(h history, replicas map[string][]stored) (found []string) {
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	var first string
	for name, list := range replicas {
		if first == "" || name < first {
			first = name
		}
		at := make(map[int64]record, len(list))
		last := map[string]int64{}
		epoch := int32(-1)
		for i, s := range list {
			if s.offset != list[0].offset+int64(i) {
				say("GAP: %s: offset %d follows %d", name, s.offset, list[i-1].offset)
				break
			}
			if s.epoch < epoch {
				say("EPOCH: %s: offset %d has epoch %d after %d", name, s.offset, s.epoch, epoch)
			}
			epoch = s.epoch
			r, ok := parseRecord(s.value)
			if !ok {
				say("BYTES: %s: offset %d has %.60q, which nobody sent", name, s.offset, s.value)
				continue
			}
			if r.seq >= h.sent[r.producer] {
				say("PHANTOM: %s: offset %d has %s/%d, of which %d were sent", name, s.offset, r.producer, r.seq, h.sent[r.producer])
			}
			at[s.offset] = r
			if !once(r.producer) {
				continue
			}
			switch before, seen := last[r.producer]; {
			case seen && r.seq == before:
				say("DUPLICATE: %s: offset %d has %s/%d again", name, s.offset, r.producer, r.seq)
			case seen && r.seq < before:
				say("REORDERED: %s: offset %d has %s/%d after %d", name, s.offset, r.producer, r.seq, before)
			}
			last[r.producer] = r.seq
		}
		for offset, r := range h.acked {
			switch got, ok := at[offset]; {
			case !ok:
				say("LOST: %s: offset %d, acknowledged as %s/%d, is not there", name, offset, r.producer, r.seq)
			case got != r:
				say("LOST: %s: offset %d was acknowledged as %s/%d and is %s/%d", name, offset, r.producer, r.seq, got.producer, got.seq)
			}
		}
	}
	for name, list := range replicas {
		if len(list) != len(replicas[first]) {
			say("REPLICAS: %s has %d records, %s has %d", name, len(list), first, len(replicas[first]))
			continue
		}
		for i := range list {
			if list[i] != replicas[first][i] {
				say("REPLICAS: offset %d is %.40q on %s and %.40q on %s", list[i].offset, list[i].value, name, replicas[first][i].value, first)
				break
			}
		}
	}
	return found
}

// TestAuditor shows the auditor good histories and bad ones.
func TestAuditor(t *testing.T) {
	a := func(seq int64) record { return record{"idempotent-1", seq} }
	b := func(seq int64) record { return record{"plain-1", seq} }
	log := func(list ...record) (out []stored) {
		for i, r := range list {
			out = append(out, stored{int64(i), 1, r.text()})
		}
		return out
	}
	good := log(a(0), b(0), a(1), b(1), b(1), a(2))
	acked := map[int64]record{0: a(0), 1: b(0), 2: a(1), 4: b(1), 5: a(2)}
	with := func(change func(list []stored) []stored) []stored {
		return change(log(a(0), b(0), a(1), b(1), b(1), a(2)))
	}
	for name, c := range map[string]struct {
		log  []stored
		want string
	}{
		"good":                  {good, ""},
		"tail lost":             {good[:5], "LOST"},
		"all lost":              {nil, "LOST"},
		"another in its place":  {log(a(0), b(0), a(1), b(1), b(1), b(2)), "LOST"},
		"twice":                 {log(a(0), b(0), a(1), b(1), b(1), a(2), a(2)), "DUPLICATE"},
		"an earlier one again":  {log(a(0), b(0), a(1), b(1), b(1), a(2), a(0)), "REORDERED"},
		"out of order":          {log(a(1), b(0), a(0), b(1), b(1), a(2)), "REORDERED"},
		"never sent":            {log(a(0), b(0), a(1), b(1), b(1), a(2), b(9)), "PHANTOM"},
		"of nobody":             {log(a(0), b(0), a(1), b(1), b(1), a(2), record{"idempotent-2", 0}), "PHANTOM"},
		"a bit flipped":         {with(func(l []stored) []stored { l[1].value = "Plain" + l[1].value[5:]; return l }), "BYTES"},
		"cut short":             {with(func(l []stored) []stored { l[5].value = l[5].value[:8]; return l }), "BYTES"},
		"a gap":                 {with(func(l []stored) []stored { l[5].offset++; return l }), "GAP"},
		"an offset twice":       {with(func(l []stored) []stored { l[5].offset--; return l }), "GAP"},
		"an epoch that falls":   {with(func(l []stored) []stored { l[5].epoch = 0; return l }), "EPOCH"},
		"an epoch on one alone": {with(func(l []stored) []stored { l[5].epoch = 2; return l }), "REPLICAS"},
		"more than the others":  {append(log(a(0), b(0), a(1), b(1), b(1), a(2)), stored{6, 1, b(2).text()}), "REPLICAS"},
	} {
		h := history{acked: acked, sent: map[string]int64{"idempotent-1": 3, "plain-1": 3}}
		found := audit(h, map[string][]stored{"node 1": good, "node 2": c.log, "node 3": good})
		ok := len(found) == 0
		if c.want != "" {
			ok = strings.Contains(strings.Join(found, "\n"), c.want)
		}
		if !ok {
			t.Errorf("%s: %q is expected, found %q", name, c.want, found)
		}
	}
}
