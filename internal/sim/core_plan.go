package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Plan is one history before it happens: all that a seed decides beforehand.
// Deleting from Faults gives a smaller plan of the same seed.
type Plan struct {
	Seed       uint64
	Steps      int
	Brokers    int
	Partitions int
	Fsync      bool
	Unclean    bool // the topic opts in to unclean elections
	LagMax     time.Duration
	Session    time.Duration
	Delay      time.Duration // mean of a message's way
	Sync       time.Duration // mean of a group commit
	Lag        time.Duration // mean from commit to a broker that has applied it
	Drop       float64
	Duplicate  float64
	LoseAnswer float64 // of the controller
	Faults     []Fault

	// Rule is the safety rule that is switched off, "" for none.
	Rule string
}

// Fault happens before the step of its number.
type Fault struct {
	Step int
	Kind FaultKind
	Node int
	Far  int           // the other end of a link, or what else the kind needs
	For  time.Duration // until a restart, a mending
}

type FaultKind uint8

const (
	Kill        FaultKind = iota // kill -9: the page cache stays
	PowerCut                     // of one: what was not synced is gone, in part
	PowerCutAll                  // of all at once
	CleanStop                    // controlled shutdown, with a marker
	Pause                        // SIGSTOP
	CutOneWay                    // node does not reach Far
	Isolate                      // node reaches nobody, nobody node
	Deaf                         // node hears no controller, but speaks
	NewControl                   // the controller is lost; another one comes
	DiskError                    // an fsync fails: final for this life
	MinISR                       // the topic's min.insync.replicas becomes Far
	Reassign                     // a partition moves
	Prefer                       // its preferred replica is elected
	faultKinds
	FullDisk = faultKinds // no records are taken; drawn apart from the others
)

var faultNames = [faultKinds + 1]string{
	"kill", "power cut", "power cut of all", "clean stop", "pause", "one way", "isolate", "deaf",
	"new controller", "disk error", "min isr", "reassign", "prefer", "full disk",
}

func (k FaultKind) String() string { return faultNames[k] }

func (f Fault) String() string {
	return fmt.Sprintf("%d:%v b%d far=%d for=%v", f.Step, f.Kind, f.Node+1, f.Far, f.For)
}

func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d brokers, %d partitions, fsync=%v unclean=%v lag=%v session=%v delay=%v sync=%v apply=%v drop=%.2f dup=%.2f lose=%.2f, %d steps",
		p.Seed, p.Brokers, p.Partitions, p.Fsync, p.Unclean, p.LagMax, p.Session, p.Delay, p.Sync, p.Lag, p.Drop, p.Duplicate, p.LoseAnswer, p.Steps)
	if p.Rule != "" {
		fmt.Fprintf(&b, ", without %s", p.Rule)
	}
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "\n  %v", f)
	}
	return b.String()
}

// NewPlan draws the plan of a seed. Each class of faults is on with half a chance.
func NewPlan(seed uint64, steps int) *Plan {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(ds ...time.Duration) time.Duration { return ds[r.IntN(len(ds))] }
	some := func(p float64) float64 {
		if r.IntN(2) == 0 {
			return 0
		}
		return r.Float64() * p
	}
	p := &Plan{
		Seed: seed, Steps: steps,
		Brokers:    []int{3, 3, 3, 3, 3, 3, 5, 5, 5, 1}[r.IntN(10)],
		Partitions: 1 + r.IntN(2),
		Fsync:      r.IntN(3) > 0,
		Unclean:    r.IntN(8) == 0,
		LagMax:     pick(300*time.Millisecond, time.Second, 3*time.Second, 10*time.Second),
		Session:    pick(200*time.Millisecond, time.Second, 3*time.Second),
		Delay:      pick(time.Millisecond, 5*time.Millisecond, 20*time.Millisecond, 100*time.Millisecond),
		Sync:       pick(time.Millisecond, 5*time.Millisecond, 50*time.Millisecond, 300*time.Millisecond),
		Lag:        pick(0, 2*time.Millisecond, 20*time.Millisecond, 300*time.Millisecond),
		Drop:       some(0.3), Duplicate: some(0.5), LoseAnswer: some(0.4),
	}
	defer p.fill()
	var on []FaultKind
	for k := range faultKinds {
		if r.IntN(2) == 0 && (p.Brokers > 1 || k != Reassign && k != CutOneWay) {
			on = append(on, k)
		}
	}
	if len(on) == 0 {
		return p
	}
	every := []int{60, 200, 500}[r.IntN(3)]
	for at := r.IntN(every); at < steps; at += 1 + r.IntN(2*every) {
		f := Fault{Step: at, Kind: on[r.IntN(len(on))], Node: r.IntN(p.Brokers), Far: r.IntN(p.Brokers)}
		f.For = time.Duration(float64(pick(20*time.Millisecond, 300*time.Millisecond, 3*time.Second)) * (0.1 + r.ExpFloat64()))
		if f.Kind == MinISR {
			f.Far = 1 + r.IntN(3)
		}
		p.Faults = append(p.Faults, f)
	}
	return p
}

// fill lets disks become full in two plans of seven. They are drawn by themselves,
// and in none of the plans that testdata named before: those go on as they were.
func (p *Plan) fill() {
	if m := p.Seed % 7; m != 1 && m != 4 {
		return
	}
	r := rand.New(rand.NewPCG(p.Seed, 3))
	every := []int{100, 300, 1000}[r.IntN(3)]
	for at := r.IntN(every); at < p.Steps; at += 1 + r.IntN(2*every) {
		f := Fault{Step: at, Kind: FullDisk, Node: r.IntN(p.Brokers)}
		f.For = time.Duration(float64(p.Session) * 3 * r.ExpFloat64())
		p.Faults = append(p.Faults, f)
	}
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return a.Step - b.Step })
}
