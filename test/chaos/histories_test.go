//go:build chaos

package chaos

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// perFamily is how many histories a family makes.
const perFamily = 10

// world is a history of one partition that is good: three replicas that are alike,
// and what the producers know of it.
type world struct {
	history
	replicas map[string][]stored
	bad      string // the replica that a family spoils
	at       int    // where
}

// goodWorld makes a log of idempotent and plain producers: some records were sent
// and are not there, some are there and were never acknowledged, a plain one may be
// there twice; epochs rise, and old records may have been deleted.
func goodWorld(random *rand.Rand) world {
	w := world{history: history{acked: map[int64]record{}, sent: map[string]int64{}}, replicas: map[string][]stored{}}
	start, epoch := random.Int64N(100), int32(0)
	var log []stored
	for len(log) < 30+random.IntN(40) {
		name := []string{"idempotent-1", "idempotent-2", "plain-1"}[random.IntN(3)]
		r := record{name, w.sent[name]}
		w.sent[name]++
		if random.IntN(10) == 0 {
			continue // it got lost on the way, unacknowledged
		}
		copies := 1
		if !once(name) && random.IntN(5) == 0 {
			copies = 2 // a retry
		}
		if random.IntN(12) == 0 {
			epoch++
		}
		for range copies {
			log = append(log, stored{start + int64(len(log)), epoch, r.text()})
		}
		if random.IntN(8) > 0 {
			w.acked[start+int64(len(log))-1] = r
		}
	}
	for n := range 3 {
		w.replicas[fmt.Sprintf("node %d", n+1)] = slices.Clone(log)
	}
	w.bad, w.at = fmt.Sprintf("node %d", random.IntN(3)+1), 5+random.IntN(len(log)-10)
	return w
}

func (w *world) everywhere(change func([]stored) []stored) {
	for name, list := range w.replicas {
		w.replicas[name] = change(list)
	}
}

func (w *world) here(change func([]stored) []stored) { w.replicas[w.bad] = change(w.replicas[w.bad]) }

// seq finds the record at or after a place whose name begins so.
func (w *world) find(from int, kind string) int {
	for i := from; i < len(w.replicas[w.bad]); i++ {
		if strings.HasPrefix(w.replicas[w.bad][i].value, kind) {
			return i
		}
	}
	return -1
}

func renumber(list []stored) []stored {
	for i := range list {
		list[i].offset = list[0].offset + int64(i)
	}
	return list
}

// badWorlds are the families of bad histories: why each is bad, and the word by
// which the auditor must complain.
var badWorlds = []struct {
	name, word string
	spoil      func(w *world)
}{
	{"a replica lost its tail: what was acknowledged is not on all of them", "LOST", func(w *world) {
		w.acked[w.replicas[w.bad][w.at].offset], _ = parseRecord(w.replicas[w.bad][w.at].value)
		w.here(func(l []stored) []stored { return l[:w.at] })
	}},
	{"all replicas lost their tail: a power cut took what was acknowledged", "LOST", func(w *world) {
		w.acked[w.replicas[w.bad][w.at].offset], _ = parseRecord(w.replicas[w.bad][w.at].value)
		w.everywhere(func(l []stored) []stored { return l[:w.at] })
	}},
	{"all replicas are empty: their disks were replaced", "LOST", func(w *world) {
		w.everywhere(func([]stored) []stored { return nil })
	}},
	{"another record stands where one was acknowledged: a new leader wrote over it", "LOST", func(w *world) {
		o := w.replicas[w.bad][w.at].offset
		w.acked[o], _ = parseRecord(w.replicas[w.bad][w.at].value)
		r := record{"plain-1", w.sent["plain-1"]}
		w.sent["plain-1"]++
		w.everywhere(func(l []stored) []stored { l[w.at].value = r.text(); return l })
	}},
	{"an idempotent record is there twice in a row: its retry was not recognised", "DUPLICATE", func(w *world) {
		i := w.find(w.at, "idempotent")
		if i < 0 {
			i = w.find(0, "idempotent")
		}
		w.acked = map[int64]record{}
		w.everywhere(func(l []stored) []stored { return renumber(slices.Insert(l, i, l[i])) })
	}},
	{"an idempotent record is there again, later: the producer's state was lost", "REORDERED", func(w *world) {
		i := w.find(0, "idempotent-1")
		again := w.replicas[w.bad][i]
		w.everywhere(func(l []stored) []stored { again.epoch = l[len(l)-1].epoch; return renumber(append(l, again)) })
		if w.find(i+1, "idempotent-1") == len(w.replicas[w.bad])-1 { // its only one: then it is a duplicate
			w.everywhere(func(l []stored) []stored {
				return append(l, stored{l[len(l)-1].offset + 1, l[len(l)-1].epoch, record{"nobody", 1}.text()})
			})
		}
	}},
	{"two idempotent records changed places: batches in flight overtook each other", "REORDERED", func(w *world) {
		i := w.find(0, "idempotent-2")
		k := w.find(i+1, "idempotent-2")
		w.acked = map[int64]record{}
		w.everywhere(func(l []stored) []stored { l[i].value, l[k].value = l[k].value, l[i].value; return l })
	}},
	{"a record that its producer has not sent yet", "PHANTOM", func(w *world) {
		w.everywhere(func(l []stored) []stored {
			l[w.at].value = record{"plain-1", w.sent["plain-1"] + int64(w.at)}.text()
			return l
		})
	}},
	{"a record of a producer that does not exist", "PHANTOM", func(w *world) {
		w.everywhere(func(l []stored) []stored { l[w.at].value = record{fmt.Sprint("plain-", 7+w.at), 0}.text(); return l })
	}},
	{"a bit flipped in a value", "BYTES", func(w *world) {
		w.here(func(l []stored) []stored {
			v := []byte(l[w.at].value)
			v[w.at%len(v)] ^= 1
			l[w.at].value = string(v)
			return l
		})
	}},
	{"a value was cut short", "BYTES", func(w *world) {
		w.here(func(l []stored) []stored { l[w.at].value = l[w.at].value[:3]; return l })
	}},
	{"an offset is skipped", "GAP", func(w *world) {
		w.here(func(l []stored) []stored { return slices.Delete(l, w.at, w.at+1) })
	}},
	{"an offset is there twice", "GAP", func(w *world) {
		w.here(func(l []stored) []stored { l[w.at].offset--; return l })
	}},
	{"epochs fall: an old leader's batches came behind a new one's", "EPOCH", func(w *world) {
		w.everywhere(func(l []stored) []stored { l[w.at].epoch = l[w.at-1].epoch - 1; return l })
	}},
	{"a replica has another epoch at one offset: it did not truncate", "REPLICAS", func(w *world) {
		w.here(func(l []stored) []stored {
			for i := w.at; i < len(l); i++ {
				l[i].epoch++
			}
			return l
		})
	}},
	{"a replica has more than the others", "REPLICAS", func(w *world) {
		r := record{"plain-1", w.sent["plain-1"]}
		w.sent["plain-1"]++
		w.here(func(l []stored) []stored {
			return append(l, stored{l[len(l)-1].offset + 1, l[len(l)-1].epoch, r.text()})
		})
	}},
	{"a replica has another record at the end, which nobody acknowledged", "REPLICAS", func(w *world) {
		r := record{"plain-1", w.sent["plain-1"]}
		w.sent["plain-1"]++
		w.here(func(l []stored) []stored { delete(w.acked, l[len(l)-1].offset); l[len(l)-1].value = r.text(); return l })
	}},
	{"a replica begins later than the others", "REPLICAS", func(w *world) {
		w.here(func(l []stored) []stored { return l[2:] })
	}},
}

// TestAuditorHistories shows the auditor hundreds of histories of which is known
// whether they are good.
func TestAuditorHistories(t *testing.T) {
	good, bad := 0, 0
	for seed := range uint64(12 * perFamily) {
		w := goodWorld(rand.New(rand.NewPCG(seed, 1)))
		if found := audit(w.history, w.replicas); len(found) > 0 {
			t.Errorf("good history %d is called bad: %q", seed, found)
		}
		good++
	}
	for _, f := range badWorlds {
		for seed := range uint64(perFamily) {
			w := goodWorld(rand.New(rand.NewPCG(seed, 2)))
			w.acked = maps.Clone(w.acked)
			f.spoil(&w)
			if found := strings.Join(audit(w.history, w.replicas), "\n"); !strings.Contains(found, f.word) {
				t.Errorf("%s (%d): %s is expected, found %q", f.name, seed, f.word, found)
			}
			bad++
		}
	}
	t.Logf("%d good histories accepted, %d bad ones of %d families refused", good, bad, len(badWorlds))
}

// goodCalls makes a history of a log that is linearizable: every call takes effect
// at a moment between its beginning and its end.
func goodCalls(random *rand.Rand) (history []porcupine.Operation) {
	busy := [linearAsking]int64{} // until when a client waits for its last answer
	var log []uint64
	for at := int64(1000); len(history) < 60; at += 10 {
		i := random.IntN(linearAsking)
		if busy[i] >= at-1 {
			continue
		}
		o := porcupine.Operation{ClientId: i, Call: at - random.Int64N(at-busy[i]), Return: at + random.Int64N(200)}
		o.Call = max(o.Call, busy[i]+1)
		switch n := random.IntN(4); {
		case n == 0:
			o.Input, o.Output = operation{kind: "end"}, outcome{offset: int64(len(log))}
		case n == 1 && len(log) > 0:
			k := random.IntN(len(log))
			o.Input, o.Output = operation{kind: "read", at: int64(k)}, outcome{id: log[k]}
		default:
			o.Input, o.Output = operation{kind: "append", id: uint64(at)}, outcome{offset: int64(len(log))}
			log = append(log, uint64(at))
		}
		busy[i] = o.Return
		history = append(history, o)
	}
	return history
}

// of finds the n-th operation of a kind, from the middle on.
func of(history []porcupine.Operation, kind string, n int) *porcupine.Operation {
	for i := range history {
		k := (i + len(history)/2) % len(history)
		if history[k].Input.(operation).kind == kind {
			if n--; n < 0 {
				return &history[k]
			}
		}
	}
	return nil
}

// after makes a call that begins when everything else is over.
func after(history []porcupine.Operation, in operation, out outcome) []porcupine.Operation {
	last := int64(0)
	for _, o := range history {
		last = max(last, o.Return)
	}
	return append(history, porcupine.Operation{Input: in, Output: out, Call: last + 10, Return: last + 20})
}

func appends(history []porcupine.Operation) (n int64) {
	for _, o := range history {
		if o.Input.(operation).kind == "append" {
			n++
		}
	}
	return n
}

// badCalls are the families of histories that no log has.
var badCalls = []struct {
	name  string
	spoil func(h []porcupine.Operation, n int) []porcupine.Operation
}{
	{"an end that is behind what was acknowledged before it was asked for", func(h []porcupine.Operation, n int) []porcupine.Operation {
		return after(h, operation{kind: "end"}, outcome{offset: appends(h) - 1 - int64(n)})
	}},
	{"an end beyond everything that anybody appended", func(h []porcupine.Operation, n int) []porcupine.Operation {
		return after(h, operation{kind: "end"}, outcome{offset: appends(h) + 1 + int64(n)})
	}},
	{"two appends at one offset", func(h []porcupine.Operation, n int) []porcupine.Operation {
		return after(h, operation{kind: "append", id: 1}, outcome{offset: appends(h) - 1 - int64(n)})
	}},
	{"an append that leaves an offset out", func(h []porcupine.Operation, n int) []porcupine.Operation {
		return after(h, operation{kind: "append", id: 1}, outcome{offset: appends(h) + 1 + int64(n)})
	}},
	{"a read of what was never written there", func(h []porcupine.Operation, n int) []porcupine.Operation {
		return after(h, operation{kind: "read", at: int64(n)}, outcome{id: 3})
	}},
	{"a read of another offset's record", func(h []porcupine.Operation, n int) []porcupine.Operation {
		return after(h, operation{kind: "read", at: int64(n)}, outcome{id: of(h, "append", n).Input.(operation).id + 1})
	}},
	{"a read beyond the end", func(h []porcupine.Operation, n int) []porcupine.Operation {
		return after(h, operation{kind: "read", at: appends(h) + int64(n)}, outcome{id: 3})
	}},
	{"a record that was read before it was appended", func(h []porcupine.Operation, n int) []porcupine.Operation {
		h = after(h, operation{kind: "read", at: appends(h)}, outcome{id: uint64(n) + 1})
		return after(h, operation{kind: "append", id: uint64(n) + 1}, outcome{offset: appends(h)})
	}},
	{"the end went back between two answers", func(h []porcupine.Operation, n int) []porcupine.Operation {
		h = after(h, operation{kind: "end"}, outcome{offset: appends(h)})
		return after(h, operation{kind: "end"}, outcome{offset: appends(h) - 1 - int64(n)})
	}},
	{"an append that was answered first came second", func(h []porcupine.Operation, n int) []porcupine.Operation {
		end := appends(h)
		h = after(h, operation{kind: "append", id: uint64(n) + 1}, outcome{offset: end + 1})
		return after(h, operation{kind: "append", id: uint64(n) + 100}, outcome{offset: end})
	}},
}

// TestAuditorHolds: an end counts only if no leader can have been replaced unawares
// from before it was asked for to after it came; appends and reads count always.
func TestAuditorHolds(t *testing.T) {
	for _, c := range []struct {
		kind          string
		before, after int64 // odd: a leader may have been replaced
		want          bool
	}{
		{"end", 0, 0, true}, {"end", 2, 2, true},
		{"end", 1, 1, false}, {"end", 0, 1, false}, {"end", 1, 2, false}, {"end", 0, 2, false},
		{"append", 1, 1, true}, {"append", 0, 2, true}, {"read", 1, 1, true}, {"read", 0, 1, true},
	} {
		if got := holds(operation{kind: c.kind}, c.before, c.after); got != c.want {
			t.Errorf("%s asked for at %d, answered at %d: %v, want %v", c.kind, c.before, c.after, got, c.want)
		}
	}
	l := &linearLoad{}
	for i, step := range []func(){l.mayCut, l.mayCut, l.whole, l.whole, l.mayCut, l.whole} {
		step()
		if cut := []bool{true, true, false, false, true, false}[i]; (l.cut.Load()%2 == 1) != cut {
			t.Errorf("step %d: cut %d", i, l.cut.Load())
		}
	}
}

// TestAuditorLinear shows the checker of linearizability hundreds of histories.
func TestAuditorLinear(t *testing.T) {
	check := func(h []porcupine.Operation) porcupine.CheckResult {
		return porcupine.CheckOperationsTimeout(onlyLog(0, nil), h, 20*time.Second)
	}
	good, bad := 0, 0
	for seed := range uint64(100) {
		if r := check(goodCalls(rand.New(rand.NewPCG(seed, 3)))); r != porcupine.Ok {
			t.Errorf("good history %d: %s", seed, r)
		}
		good++
	}
	for _, f := range badCalls {
		for n := range perFamily {
			h := f.spoil(goodCalls(rand.New(rand.NewPCG(uint64(n), 4))), n)
			if r := check(h); r != porcupine.Illegal {
				t.Errorf("%s (%d): %s", f.name, n, r)
			}
			bad++
		}
	}
	t.Logf("%d good histories accepted, %d bad ones of %d families refused", good, bad, len(badCalls))
}
