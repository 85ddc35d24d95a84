package storage

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/vfs"
)

var (
	modelSeeds = flag.Int("seeds", 40, "how many seeds the model test runs (or STORAGE_SEEDS)")
	modelFirst = flag.Uint64("first-seed", 1, "the first of them")
	modelSteps = flag.Int("steps", 200, "operations per seed")
	modelLog_  = flag.Bool("model-log", false, "print every operation")
)

// coverage counts what the seeds went through.
type coverage struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *coverage) hit(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[what]++
}

func (c *coverage) String() string {
	var out []string
	for k, v := range c.n {
		out = append(out, fmt.Sprintf("%s=%d", k, v))
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

// TestModel runs random operations on real logs and on slices, through power
// cuts, kills, failed syncs and clean stops, and compares.
func TestModel(t *testing.T) {
	seeds := *modelSeeds
	if n, err := strconv.Atoi(os.Getenv("STORAGE_SEEDS")); err == nil {
		seeds = n
	}
	var cover coverage
	for i := range seeds {
		seed := *modelFirst + uint64(i)
		if err := runModel(t, seed, *modelSteps, &cover); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	t.Logf("%d seeds: %s", seeds, &cover)
}

// TestModelFindsMutations proves that the model notices each rule that is off.
func TestModelFindsMutations(t *testing.T) {
	for name, set := range map[string]func(bool){
		"ack before sync":       func(on bool) { mutations.ackBeforeSync = on },
		"no directory sync":     func(on bool) { mutations.noDirectorySync = on },
		"checkpoint ahead":      func(on bool) { mutations.checkpointAhead = on },
		"end reported unsynced": func(on bool) { mutations.endBeforeSync = on },
	} {
		t.Run(name, func(t *testing.T) {
			set(true)
			defer set(false)
			for seed := uint64(1); seed <= 300; seed++ {
				if err := runModel(t, seed, 200, &coverage{}); err != nil {
					text, _, _ := strings.Cut(err.Error(), "\n")
					t.Logf("seed %d: %s", seed, text)
					return
				}
			}
			t.Fatal("300 seeds did not notice it")
		})
	}
}

// model is one seed at work.
type model struct {
	rng     *rand.Rand
	cover   *coverage
	trace   []string
	disk    *vfs.Mem
	fault   *vfs.Fault
	cut     *cutFS
	s       *Store
	dirs    []string
	logs    []*modelLog
	killed  bool // only the process died: the page cache is as it was
	strict  bool // nothing may be lost by the coming reopen
	crashes int
	topics  int

	mu   sync.Mutex
	told map[*Log]int64
}

func runModel(t *testing.T, seed uint64, steps int, cover *coverage) (err error) {
	synctest.Test(t, func(t *testing.T) {
		m := &model{rng: rng(seed), cover: cover, disk: vfs.NewMem(), told: map[*Log]int64{}}
		defer func() {
			if r := recover(); r != nil {
				if f, ok := r.(modelFailure); ok {
					err = f.err
				} else {
					panic(r)
				}
			}
			if m.s != nil {
				_ = m.s.Close() // whatever it says: the seed is over
			}
			if err != nil && *modelLog_ {
				t.Log(strings.Join(m.trace, "\n"))
			}
		}()
		m.run(steps)
	})
	return err
}

func (m *model) logged(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trace = append(m.trace, "  log: "+text)
}

type modelFailure struct{ err error }

func (m *model) failf(format string, args ...any) {
	panic(modelFailure{fmt.Errorf(format+"\nafter: %s", append(args, strings.Join(m.trace[max(0, len(m.trace)-12):], "; "))...)})
}

func (m *model) note(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trace = append(m.trace, fmt.Sprintf(format, args...))
}

func (m *model) run(steps int) {
	m.dirs = []string{"/d0", "/d1"}[:1+m.rng.IntN(2)]
	for _, d := range m.dirs {
		if err := errors.Join(m.disk.MkdirAll(d), m.disk.SyncDir("/")); err != nil {
			m.failf("%v", err)
		}
	}
	m.open(0)
	for n := 1 + m.rng.IntN(3); len(m.logs) < n; {
		m.create()
	}
	if m.rng.IntN(8) == 0 { // many, so that rounds are syncfs
		for range 18 {
			m.create()
		}
	}
	for range steps {
		m.step()
	}
	for m.crashes < 3 {
		m.step()
		m.crash()
	}
	m.check()
}

func (m *model) randomConfig() Config {
	c := Config{SegmentBytes: 2000 + m.rng.Int64N(12000), IndexIntervalBytes: m.rng.Int64N(2000), SegmentIndexBytes: 100 + m.rng.Int64N(2000),
		RetentionAge: -1, RetentionBytes: -1, FileDeleteDelay: time.Minute, LogAppendTime: m.rng.IntN(8) == 0}
	if m.rng.IntN(4) == 0 {
		c.Durability = ISR
		if m.rng.IntN(3) == 0 {
			c.FlushMessages = 1 + m.rng.Int64N(20)
		}
		if m.rng.IntN(3) == 0 {
			c.FlushInterval = time.Duration(1 + m.rng.Int64N(int64(20*time.Second)))
		}
	}
	if m.rng.IntN(3) == 0 {
		c.SegmentAge, c.SegmentJitter = time.Minute, 10*time.Second
	}
	if m.rng.IntN(3) == 0 {
		c.Delete = true
		if m.rng.IntN(2) == 0 {
			c.RetentionBytes = m.rng.Int64N(20000)
		} else {
			c.RetentionAge = time.Duration(m.rng.Int64N(int64(20 * time.Minute)))
		}
	}
	return c
}

func (m *model) create() {
	m.topics++
	id := step.PartitionID{Topic: step.TopicID{1, byte(m.topics), byte(m.topics >> 8)}, Index: int32(m.rng.IntN(3))}
	l := &modelLog{id: id, topic: fmt.Sprintf("t%d", m.rng.IntN(1000)), config: m.randomConfig(), epoch: -1, exact: true, client: map[int64]*modelClient{}}
	for _, o := range m.logs {
		if o.topic == l.topic && o.id.Index == id.Index {
			return
		}
	}
	m.logs = append(m.logs, l)
	var err error
	if l.log, err = m.s.Log(id, l.topic, l.config); err != nil && !m.down(err) {
		m.failf("open a new log: %v", err)
	}
}

func (m *model) flushed(fs []Flushed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range fs {
		m.told[f.Log] = max(m.told[f.Log], f.End)
	}
}

// hear takes what the flusher told, as an acknowledgement would.
func (m *model) hear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.logs {
		if l.log != nil {
			l.acked = max(l.acked, min(m.told[l.log], l.end()))
		}
	}
}

func (m *model) step() {
	if len(m.logs) == 0 {
		m.create()
		m.cutIfDead()
		return
	}
	l := m.logs[m.rng.IntN(len(m.logs))]
	total := 0
	for _, o := range modelOps {
		total += o.weight
	}
	n := m.rng.IntN(total)
	for _, o := range modelOps {
		if n -= o.weight; n < 0 {
			m.note("%s %s-%d %s", o.name, l.topic, l.id.Index, l.brief())
			o.do(m, l)
			break
		}
	}
	m.hear()
	m.cutIfDead()
}

var modelOps []struct {
	name   string
	weight int
	do     func(*model, *modelLog)
}

func init() {
	add := func(name string, weight int, do func(*model, *modelLog)) {
		modelOps = append(modelOps, struct {
			name   string
			weight int
			do     func(*model, *modelLog)
		}{name, weight, do})
	}
	add("append", 40, (*model).append)
	add("commit", 12, (*model).commit)
	add("read", 10, (*model).read)
	add("times", 6, (*model).times)
	add("check", 4, func(m *model, l *modelLog) { m.check() })
	add("lead", 4, func(m *model, l *modelLog) { m.lead(l, true) })
	add("follow", 4, func(m *model, l *modelLog) { m.lead(l, false) })
	add("truncate", 4, (*model).truncate)
	add("delete-before", 4, (*model).deleteBefore)
	add("wait", 10, func(m *model, l *modelLog) { synctest.Wait() })
	add("sleep", 6, func(m *model, l *modelLog) {
		time.Sleep(time.Duration(m.rng.Int64N(int64(12 * time.Second))))
		m.follow()
	})
	add("sleep-long", 2, func(m *model, l *modelLog) {
		time.Sleep(time.Duration(m.rng.Int64N(int64(5 * time.Minute))))
		m.follow()
	})
	add("delete", 1, (*model).delete)
	add("create", 1, func(m *model, l *modelLog) { m.create() })
	add("reopen", 2, (*model).cleanReopen)
	add("crash", 2, func(m *model, l *modelLog) { m.crash() })
	add("cut-soon", 4, func(m *model, l *modelLog) { m.cut.cutIn(1+m.rng.IntN(60), m.keep()) })
	add("sync-error", 1, (*model).syncError)
	add("disk-full", 1, (*model).diskFull)
	add("config", 1, func(m *model, l *modelLog) {
		was := l.config
		l.config = m.randomConfig()
		l.config.Durability = was.Durability
		if l.log != nil {
			l.log.SetConfig(l.config)
		}
	})
}

// follow takes starts that retention has raised meanwhile.
func (m *model) follow() {
	synctest.Wait()
	for _, l := range m.logs {
		if l.log == nil || m.cut.isDead() {
			continue
		}
		v := l.log.View()
		if v.Start > l.start {
			if v.Start > l.hw {
				m.failf("retention of %s-%d went to %d, high watermark %d", l.topic, l.id.Index, v.Start, l.hw)
			}
			m.cover.hit("retention")
			l.start = v.Start
		}
		l.starts[1] = max(l.starts[1], v.Start)
	}
}

func (m *model) check() {
	m.follow()
	for _, l := range m.logs {
		if l.log == nil {
			continue
		}
		err := errors.Join(l.checkAll(), sealedWhole(l.log))
		if err != nil && !m.down(err) {
			m.failf("%s-%d: %v", l.topic, l.id.Index, err)
		}
	}
}
