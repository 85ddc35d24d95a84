package group

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/internal/step"
)

var seeds = flag.Int("group.seeds", 60, "seeds that TestSimulation runs")

// TestSimulation lets six clients share a group while answers get lost, members
// fall silent or leave, and coordinators change. It checks after every step
//
//	C0  durable state equals the replayed log (the bed does)
//	G1  in one generation one assignment: nobody owns what another one owns
//	G4  no member owns anything in an older generation than before
//	O1  what is fetched is what was committed last
//
// and, once the faults end, G3: all members share the partitions.
func TestSimulation(t *testing.T) {
	for seed := range uint64(*seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { newSim(t, seed).run() })
	}
}

type sim struct {
	*bed
	rng     *rand.Rand
	actors  []*actor
	owners  map[int32]map[string]string // generation → partition → member
	offsets map[int32]int64             // what partition of t is committed at
	faults  bool
}

// actor is a client that joins, syncs, beats and commits.
type actor struct {
	*client
	name    string
	waits   step.Token // 0: for nothing
	syncing bool
	owned   string
	last    int32        // the generation in which it owned something last
	silent  step.Instant // until then
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{
		bed: newBed(t), rng: rand.New(rand.NewPCG(seed, 0)), faults: true,
		owners: map[int32]map[string]string{}, offsets: map[int32]int64{},
	}
	for i := range 6 {
		a := &actor{client: s.client("t"), name: fmt.Sprint("a", i)}
		if i%3 == 0 {
			a.instance = kmsg.StringPtr(a.name)
		}
		s.actors = append(s.actors, a)
	}
	return s
}

func (s *sim) run() {
	for range 400 {
		s.round()
	}
	s.faults = false
	for range 200 {
		s.round()
	}
	s.wantState("Stable", len(s.actors))
	for _, a := range s.actors {
		if a.owned == "" || a.beat() != 0 {
			s.Fatalf("G3: %s owns %q", a.name, a.owned)
		}
	}
}

func (s *sim) round() {
	s.advance(time.Duration(s.rng.IntN(1500)) * time.Millisecond)
	if s.faults && s.rng.IntN(40) == 0 {
		s.reload()
		for _, a := range s.actors {
			a.waits = 0 // NOT_COORDINATOR: it asks again
		}
	}
	for _, a := range s.actors {
		s.act(a)
	}
	p := int32(s.rng.IntN(4))
	at, known := s.offsets[p]
	if !known {
		at = -1
	}
	s.wantOffset("t", p, at)
}

func (s *sim) act(a *actor) {
	if s.faults && s.rng.IntN(150) == 0 {
		a.silent = s.now.Add(time.Duration(s.rng.IntN(30)) * time.Second)
	}
	if s.faults && s.now < a.silent {
		return
	}
	if a.waits != 0 {
		s.answered(a)
		return
	}
	switch {
	case a.owned == "":
		a.syncing, a.waits = false, a.join()
	case s.faults && s.rng.IntN(100) == 0:
		s.restart(a)
	default:
		s.work(a)
	}
}

// answered takes an answer, if it is there and does not get lost.
func (s *sim) answered(a *actor) {
	if s.answers[a.waits] == nil {
		return
	}
	token := a.waits
	a.waits = 0
	if s.faults && s.rng.IntN(20) == 0 {
		a.owned = "" // lost: it begins again, with the id that it had
		return
	}
	if a.syncing {
		owned, code := a.synced(token)
		a.syncing, a.owned = false, owned
		s.failed(a, code)
		if code == 0 {
			s.owns(a)
		}
		return
	}
	if code := a.joined(token).ErrorCode; code != 0 {
		s.failed(a, code)
		return
	}
	assign := map[string]string{}
	if a.leader {
		for i, m := range a.joined(token).Members {
			assign[m.MemberID] = fmt.Sprintf("p%d of %s", i, a.id)
		}
	}
	a.syncing, a.waits = true, a.sync(assign)
}

func (s *sim) failed(a *actor, code int16) {
	switch code {
	case 0:
		return
	case codeUnknownMember, codeFencedInstance:
		a.id, a.gen = "", 0
	case codeRebalance, codeIllegalGeneration:
	default:
		s.Fatalf("%s: error %d", a.name, code)
	}
	a.owned = ""
}

// owns checks G1 and G4. A generation whose assignment was not written yet is lost
// with its coordinator, and its number is given again: nobody owned anything in it.
func (s *sim) owns(a *actor) {
	if a.gen < a.last {
		s.Fatalf("G4: %s went from generation %d to %d", a.name, a.last, a.gen)
	}
	a.last = a.gen
	if s.owners[a.gen] == nil {
		s.owners[a.gen] = map[string]string{}
	}
	who := s.owners[a.gen][a.owned]
	key := a.id
	if a.instance != nil {
		key = *a.instance // it keeps its part under a new id
	}
	if who != "" && who != key {
		s.Fatalf("G1: generation %d: %s and %s own %s", a.gen, who, key, a.owned)
	}
	s.owners[a.gen][a.owned] = key
}

func (s *sim) restart(a *actor) {
	if a.instance == nil {
		a.leave()
	}
	a.id, a.gen, a.owned = "", 0, ""
}

func (s *sim) work(a *actor) {
	if s.rng.IntN(3) > 0 {
		s.failed(a, a.beat())
		return
	}
	p, at := int32(s.rng.IntN(4)), s.rng.Int64N(1000)
	code := a.commit("t", p, at)
	if code == 0 {
		s.offsets[p] = at
	}
	s.failed(a, code)
}
