package sim

import (
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
)

// scene is a directed history: three brokers, one partition, nothing happens by
// chance but what the scene does.
type scene struct {
	*Core
	t *testing.T
}

func newScene(t *testing.T, change func(*Plan)) *scene {
	p := &Plan{
		Seed: 1, Brokers: 3, Partitions: 1, Fsync: true, LagMax: time.Second, Session: 500 * time.Millisecond,
		Delay: time.Millisecond, Sync: time.Millisecond,
	}
	if change != nil {
		change(p)
	}
	switchOff(p.Rule)
	t.Cleanup(func() { switchOff("") })
	var story []string
	s := &scene{newCore(p, func(line string) { story = append(story, line) }), t}
	s.quiet = true
	t.Cleanup(func() {
		if t.Failed() {
			for _, line := range story[max(0, len(story)-60):] {
				t.Log(line)
			}
		}
	})
	s.begin()
	s.run(50 * time.Millisecond)
	return s
}

// run lets time pass.
func (s *scene) run(d time.Duration) {
	for until := s.now.Add(d); s.now < until && s.failure == nil; {
		s.step()
	}
}

// write sends n requests to broker id.
func (s *scene) write(id int, acks int8, n int) {
	for range n {
		m := s.message(msgProduce)
		m.to, m.acks, m.life, m.request = int8(id-1), acks, s.nodes[id-1].life, s.parts[0].ask()
		s.produce(s.nodes[id-1], m)
	}
}

func (s *scene) part() meta.Partition {
	top, _ := s.image().Topic(s.topic)
	p, _ := top.Partition(0)
	return p
}

// isolate cuts broker id off from everybody, the controller too.
func (s *scene) isolate(id int) { s.fault(Fault{Kind: Isolate, Node: id - 1, For: time.Hour}) }

func (s *scene) wantLeader(id int32) {
	s.t.Helper()
	if p := s.part(); p.Leader != id {
		s.t.Fatalf("leader is b%d, not b%d: in sync %v, eligible %v", p.Leader, id, p.ISR(), p.ELR())
	}
}

// wantNothingLost mends everything and reads back.
func (s *scene) wantNothingLost() {
	s.t.Helper()
	for _, n := range s.nodes {
		s.start(n)
	}
	s.recover()
	s.wantFine()
}

func (s *scene) wantFine() {
	s.t.Helper()
	if s.failure != nil {
		s.t.Fatal(s.failure)
	}
}

// J-01: the ISR shrinks to the leader alone, the leader dies, a stale replica is
// there. It must not be elected.
func TestJ01StaleReplicaIsNotElected(t *testing.T) {
	s := newScene(t, nil)
	s.isolate(3)
	s.run(2 * time.Second) // the ISR is 1 2
	s.write(1, -1, 3)
	s.run(100 * time.Millisecond)
	committed := len(s.parts[0].committed)
	s.kill(s.nodes[1])
	s.run(2 * time.Second) // the ISR is 1, the watermark is frozen
	s.write(1, 1, 2)
	s.run(100 * time.Millisecond)
	if got := len(s.parts[0].committed); got != committed || committed == 0 {
		t.Fatalf("%d records were committed, and %d with one replica in sync", committed, got)
	}
	s.mend(-1)
	s.kill(s.nodes[0])
	s.run(2 * time.Second)
	s.wantLeader(-1) // 3 is active, but stale
	s.start(s.nodes[1])
	s.run(2 * time.Second)
	s.wantLeader(2) // of the ELR: it has all that was committed
	s.wantNothingLost()
}

// J-02: two failures in a row. A follower that cut its log to the high watermark that
// it knew would lose what was acknowledged: the watermark comes a reply later than the
// records.
//
//	b1 acknowledges 3, 4: b2 and b3 have them, b3 does not know that they are committed
//	b1 dies, b2 leads; b3 follows, and reaches it not
//	b2 dies, b3 leads: with 3 and 4
func TestJ02TruncationToTheWatermark(t *testing.T) {
	s := fastDoubleFailure(t, "")
	s.wantLeader(3)
	s.wantNothingLost()
	if s := fastDoubleFailure(t, RuleEpochTruncation); s.failure == nil {
		t.Fatal("nobody notices a truncation to the watermark")
	}
}

func fastDoubleFailure(t *testing.T, rule string) *scene {
	s := newScene(t, func(p *Plan) { p.Rule, p.LagMax = rule, time.Minute })
	s.write(1, -1, 3)
	s.run(100 * time.Millisecond)
	s.intercept = func(m *message) bool { return m.kind == msgReply && m.to == 2 && m.n == 0 }
	s.write(1, -1, 2)
	s.run(100 * time.Millisecond)
	l := &s.nodes[2].reps[0].log
	if committed := int64(len(s.parts[0].committed)); l.end() != committed || l.hw >= committed {
		t.Fatalf("b3 ends at %d and knows %d as committed, of %d", l.end(), l.hw, committed)
	}
	s.cut[1][2], s.cut[2][1] = true, true
	s.kill(s.nodes[0])
	s.run(time.Second)
	s.wantLeader(2)
	s.kill(s.nodes[1])
	s.run(time.Second)
	s.intercept = nil
	return s
}

// J-03: several elections in a row. The last epoch of a follower is unknown to its
// leader, whose answer is about an older one, of which the follower has less.
//
//	epoch 0  b1: … a a   b2: …       b3: … a a
//	epoch 1  b1 dies     b2: … b b   b3 does not reach it
//	epoch 2              b2 dies     b3 leads: … a a
//	         b2 is back, and asks with epoch 1: b3 has 0 up to its end
func TestJ03EpochUnknownToTheLeader(t *testing.T) {
	s := severalElections(t, "")
	s.wantLeader(3)
	s.wantNothingLost()
	if !canMutate {
		return
	}
	s = severalElections(t, RuleOwnEnd)
	for _, n := range s.nodes {
		s.start(n)
	}
	if s.recover(); s.failure == nil {
		t.Fatal("nobody notices that the own end of the epoch does not count")
	}
}

func severalElections(t *testing.T, rule string) *scene {
	s := newScene(t, func(p *Plan) { p.Rule, p.LagMax = rule, time.Minute })
	s.write(1, -1, 3)
	s.run(100 * time.Millisecond)
	base := s.nodes[1].reps[0].log.end()
	s.cut[0][1], s.cut[1][0] = true, true
	s.write(1, 1, 2)
	s.run(100 * time.Millisecond)
	end := s.nodes[2].reps[0].log.end()
	s.cut[1][2], s.cut[2][1] = true, true
	s.kill(s.nodes[0])
	s.run(time.Second)
	s.wantLeader(2)
	for s.nodes[1].reps[0].log.end() < end {
		s.write(2, 1, 1)
	}
	s.run(100 * time.Millisecond)
	if end == base || s.nodes[1].reps[0].log.latest() != 1 || s.nodes[2].reps[0].log.latest() != 0 {
		t.Fatalf("b3 ends at %d after %d, epochs %d and %d", end, base, s.nodes[1].reps[0].log.latest(), s.nodes[2].reps[0].log.latest())
	}
	s.kill(s.nodes[1])
	s.run(time.Second)
	return s
}

// J-04: a fetch of an old epoch arrives when its leader leads again. Had it
// counted, the watermark would pass what the follower has cut off since.
//
//	epoch 0  b1: 0 … 5   b2: 0 … 5, its fetch at 5 is late   b3: 0 … 2
//	epoch 1  b3 leads, b2 cuts back to 2
//	epoch 2  b3 dies, b1 leads from 5: the late fetch comes
func TestJ04FetchOfAnOldEpoch(t *testing.T) {
	if s := lateFetch(t, ""); s.failure != nil || s.cover[covStaleFetch] == 0 {
		t.Fatalf("failure %v, %d fetches fenced", s.failure, s.cover[covStaleFetch])
	}
	if !canMutate {
		return
	}
	if s := lateFetch(t, RuleFetchEpoch); s.failure == nil {
		t.Fatal("nobody notices that fetches are not fenced")
	}
}

func lateFetch(t *testing.T, rule string) *scene {
	s := newScene(t, func(p *Plan) { p.Rule, p.LagMax = rule, time.Minute })
	s.write(1, -1, 1)
	s.run(100 * time.Millisecond)
	base := s.nodes[0].reps[0].log.end()
	s.cut[0][2], s.cut[2][0] = true, true
	s.intercept = func(m *message) bool {
		return m.kind == msgFetch && m.from == 1 && m.fetch.Offset > base && m.fetch.LeaderEpoch == 0
	}
	s.write(1, 1, 2)
	s.run(100 * time.Millisecond)
	if len(s.caught) == 0 {
		t.Fatal("no fetch was late")
	}
	late := s.caught[0]
	s.commit(meta.Reassign{Topic: s.topic, Target: []int32{3, 1, 2}})
	s.commit(meta.ElectLeader{Topic: s.topic})
	s.run(time.Second)
	s.wantLeader(3)
	if end := s.nodes[1].reps[0].log.end(); end != base {
		t.Fatalf("b2 ends at %d, and should have cut back to %d", end, base)
	}
	s.cut[1][0] = true
	s.kill(s.nodes[2])
	s.run(time.Second)
	s.wantLeader(1)
	s.receive(s.nodes[0], late)
	s.run(100 * time.Millisecond)
	return s
}

// J-05: the last replica in sync loses power. Who is eligible takes over, and
// nothing that was acknowledged is lost.
func TestJ05LastReplicaStanding(t *testing.T) {
	s := newScene(t, nil)
	s.write(1, -1, 3)
	s.run(100 * time.Millisecond)
	s.isolate(2)
	s.isolate(3)
	s.run(2 * time.Second)
	if p := s.part(); p.ISRSize() != 1 || len(p.ELR()) == 0 {
		t.Fatalf("in sync %v, eligible %v", p.ISR(), p.ELR())
	}
	s.write(1, 1, 5)
	s.powerCut(s.nodes[0])
	s.mend(-1)
	s.run(2 * time.Second)
	if p := s.part(); p.Leader != 2 && p.Leader != 3 {
		t.Fatalf("b%d leads: in sync %v, eligible %v", p.Leader, p.ISR(), p.ELR())
	}
	s.wantNothingLost()
}

// J-18: a broker that was led by old metadata comes back and applies it again. It is
// no leader by that, however long it hears of nothing newer.
func TestJ18ReplayedMetadata(t *testing.T) {
	for _, rule := range []string{"", RuleOwnRegistration} {
		s := newScene(t, func(p *Plan) { p.Rule = rule })
		s.write(1, -1, 3)
		s.run(100 * time.Millisecond)
		old := s.nodes[0].applied
		s.powerCut(s.nodes[0])
		s.run(time.Second)
		s.wantLeader(2)
		s.cut[0][3], s.cut[3][0] = true, true // it does not reach the controller
		n := s.nodes[0]
		n.seen = old - 1
		s.live(n)
		s.after(0, evRegister, n)
		s.hear(n, old)
		s.run(time.Second)
		if leads := n.reps[0].leader != nil; leads != (rule != "") {
			t.Errorf("without %q: b1 leads by what it knew: %v", rule, leads)
		}
		if rule == "" {
			s.wantNothingLost()
		}
	}
}

// J-20: what hangs is found, although nothing wrong is ever said: a follower that
// nobody answers any more, a request that nobody answers.
func TestJ20StandstillIsNoticed(t *testing.T) {
	for _, kind := range []messageKind{msgFetch, msgReply} {
		s := newScene(t, nil)
		s.write(1, -1, 3)
		s.run(100 * time.Millisecond)
		s.intercept = func(m *message) bool { return m.kind == kind && (m.from == 2 || m.to == 2) }
		s.write(1, -1, 3)
		if s.recover(); s.failure == nil || s.failure.Rule != "R22" {
			t.Errorf("b3 is cut off from its leader for ever: %v", s.failure)
		}
	}
	s := newScene(t, nil)
	s.accept(0, ticket{request: s.parts[0].ask()})
	if s.recover(); s.failure == nil || s.failure.Rule != "R23" {
		t.Errorf("a request is not answered: %v", s.failure)
	}
}

// J-20: a follower whose question or answer was lost asks again, else it stands still.
func TestJ20LostQuestionIsAskedAgain(t *testing.T) {
	for _, kind := range []messageKind{msgFetch, msgReply} {
		for _, rule := range []string{"", RuleAskAgain} {
			s := newScene(t, func(p *Plan) { p.Rule = rule })
			s.write(1, -1, 3)
			s.run(100 * time.Millisecond)
			lost := 0
			s.intercept = func(m *message) bool {
				hit := m.kind == kind && (m.from == 2 || m.to == 2) && lost == 0
				if hit {
					lost++
				}
				return hit
			}
			s.write(1, -1, 3)
			s.run(time.Second)
			s.intercept = nil
			s.write(1, -1, 3)
			s.recover()
			stands := s.failure != nil && s.failure.Rule == "R22"
			if lost != 1 || stands != (rule != "") {
				t.Errorf("%d lost of kind %d, without %q: %v", lost, kind, rule, s.failure)
			}
		}
	}
}

// J-06: nobody is elected who is fenced, whatever the topic opts in to.
func TestJ06FencedIsNotElected(t *testing.T) {
	s := newScene(t, func(p *Plan) { p.Unclean = true })
	for _, n := range s.nodes {
		s.kill(n)
	}
	s.run(2 * time.Second)
	s.wantLeader(-1)
	s.start(s.nodes[2])
	s.run(2 * time.Second)
	s.wantLeader(3)
	s.wantFine()
}

// J-07: a leader that registers anew, before its session ended, is out of the
// ISR under another leader epoch.
func TestJ07RegistrationRaisesTheEpoch(t *testing.T) {
	s := newScene(t, nil)
	before := s.part()
	s.kill(s.nodes[0])
	s.start(s.nodes[0])
	for range 1000 {
		if b, _ := s.image().Broker(1); b.Incarnation == s.nodes[0].incarnation {
			break
		}
		s.step()
	}
	if p := s.part(); p.LeaderEpoch <= before.LeaderEpoch || p.InISR(1) || p.Leader == 1 {
		t.Fatalf("epoch %d after %d, leader b%d, in sync %v", p.LeaderEpoch, before.LeaderEpoch, p.Leader, p.ISR())
	}
	s.wantNothingLost()
}
