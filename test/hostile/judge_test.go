//go:build hostile

package hostile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// soon is how long an answer or a close may take (H1).
	soon = time.Second
	// never ends the wait for both.
	never = 15 * time.Second
	// mostAnswer is more than any answer may have.
	mostAnswer = 64 << 20
)

// sentinelAt is the correlation id of the first sentinel.
const sentinelAt = 0x5e000000

// finding is something that must not be.
type finding struct{ what, name string }

// judge collects what the attackers saw.
type judge struct {
	addr string

	answered, closed, waited atomic.Int64

	mu       sync.Mutex
	findings []finding
	late     []attack
	slowest  time.Duration
}

func (j *judge) find(what, name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.findings = append(j.findings, finding{what, name})
}

// run sends cases from count attackers. pace is the time between two cases of
// one attacker; 0: at once.
func (j *judge) run(cases []attack, count int, pace time.Duration) {
	var next atomic.Int64
	var all sync.WaitGroup
	for id := range count {
		all.Go(func() {
			a := attacker{j: j, sentinel: int32(sentinelAt + id<<20), from: net.IPv4(127, 0, 1, byte(1+id))}
			defer a.hangUp()
			for {
				at := int(next.Add(1)) - 1
				if at >= len(cases) {
					return
				}
				began := time.Now()
				a.attack(cases[at])
				if rest := pace - time.Since(began); rest > 0 {
					time.Sleep(rest)
				}
			}
		})
	}
	all.Wait()
}

// repeatLate runs the cases that were late once more, alone (H1).
func (j *judge) repeatLate() (repeated int) {
	late := j.late
	j.late = nil
	j.run(late, 1, 0)
	for _, a := range j.late {
		j.find("neither answered nor closed within "+soon.String()+", twice", a.name)
	}
	return len(late)
}

// attacker is one connection at a time.
type attacker struct {
	j        *judge
	from     net.IP
	conn     *net.TCPConn
	sentinel int32
	answer   []byte
}

func (a *attacker) hangUp() {
	if a.conn != nil {
		_ = a.conn.SetLinger(0) // no TIME_WAIT: there are more cases than ports
		_ = a.conn.Close()
		a.conn = nil
	}
}

func (a *attacker) dial() error {
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: a.from}, Timeout: never}).Dial("tcp", a.j.addr)
	if err == nil {
		a.conn = c.(*net.TCPConn)
	}
	return err
}

// attack sends one case and waits for what becomes of it.
func (a *attacker) attack(c attack) {
	if a.conn == nil {
		if err := a.dial(); err != nil {
			a.j.find("no connection any more", fmt.Sprintf("%s: %v", c.name, err))
			return
		}
	}
	began := time.Now()
	alive, err := a.exchange(c)
	took := time.Since(began)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		a.j.find("neither answered nor closed within "+never.String(), c.name)
	case errors.As(err, new(*badAnswer)):
		a.j.find(err.Error(), fmt.Sprintf("%s (%.200x)", c.name, c.bytes))
	case took > soon:
		a.j.mu.Lock()
		a.j.late = append(a.j.late, c)
		a.j.mu.Unlock()
	}
	a.j.mu.Lock()
	a.j.slowest = max(a.j.slowest, took)
	a.j.mu.Unlock()
	switch {
	case alive:
		a.j.answered.Add(1)
	case c.waits:
		a.j.waited.Add(1)
	default:
		a.j.closed.Add(1)
	}
	if !alive {
		a.hangUp()
	}
}

// exchange sends the case and the sentinel. It reports whether the sentinel was
// answered; every other end but a deadline and a bad answer is the close.
func (a *attacker) exchange(c attack) (alive bool, err error) {
	if err := a.conn.SetDeadline(time.Now().Add(never)); err != nil {
		return false, nil
	}
	a.sentinel++
	frame := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 10, 0, 18, 0, 0}, uint32(a.sentinel))
	sent := make(chan error, 1)
	send := func() {
		_, err := a.conn.Write(slices.Concat(c.bytes, append(frame, 0xff, 0xff)))
		if err == nil && (c.loose || c.waits) {
			err = a.conn.CloseWrite()
		}
		sent <- err
	}
	if len(c.bytes) < 8<<10 { // fits the socket: no other goroutine needed
		send()
	} else {
		go send() // ends by the deadline at the latest; waited for below
	}
	defer func() {
		if !alive {
			_ = a.conn.SetDeadline(time.Unix(1, 0)) // a Write that is left ends
		}
		<-sent
	}()
	for first := true; ; first = false {
		correlation, err := a.receive()
		var bad *badAnswer
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &bad):
			return false, err
		case err != nil:
			return false, nil // closed
		case correlation == a.sentinel:
			return !c.loose && !c.waits, nil
		case first && c.api != nil && correlation == 77:
			if err := decodes(*c.api, a.answer[4:]); err != nil {
				return false, &badAnswer{"an answer that cannot be decoded: " + err.Error()}
			}
		}
	}
}

type badAnswer struct{ what string }

func (b *badAnswer) Error() string { return b.what }

// receive reads one answer into a.answer.
func (a *attacker) receive() (correlation int32, err error) {
	var head [8]byte
	if n, err := io.ReadFull(a.conn, head[:]); err != nil {
		if n > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, &badAnswer{"half an answer, and closed"}
		}
		return 0, err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:])))
	if size < 4 || size > mostAnswer {
		return 0, &badAnswer{fmt.Sprintf("an answer of %d bytes", size)}
	}
	a.answer = slices.Grow(a.answer[:0], size)[:size]
	copy(a.answer, head[4:])
	if _, err := io.ReadFull(a.conn, a.answer[4:]); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) && size > 4 {
		return 0, &badAnswer{"half an answer, and closed"}
	} else if err != nil {
		return 0, err
	}
	return int32(binary.BigEndian.Uint32(head[4:])), nil
}

// decodes reads an answer from behind its correlation id as that of the API.
func decodes(a api, p []byte) error {
	r := a.request()
	if r == nil {
		return nil
	}
	resp := r.ResponseKind()
	resp.SetVersion(a.version)
	if resp.IsFlexible() && a.key != 18 {
		if len(p) == 0 || p[0] != 0 {
			return errors.New("no header with tags")
		}
		p = p[1:]
	}
	if err := resp.ReadFrom(bytes.Clone(p)); err != nil {
		return err
	}
	if again := resp.AppendTo(nil); !bytes.Equal(again, p) {
		return fmt.Errorf("%d bytes, of which %d make sense", len(p), len(again))
	}
	return nil
}

// check compares the broker with what it was before.
func (j *judge) check(v victim, before state) state {
	if n := v.rss(); n == 0 {
		j.find("the broker has ended", v.node.Output())
		return before
	}
	after := v.settled(before)
	if n := after.panics - before.panics; n > 0 {
		j.find("a panic was recovered", fmt.Sprintf("%v times:\n%.4000s", n, v.node.Output()))
	}
	j.bounded("memory grew", before.rss, v.peak(), mostGrowth)
	if ended, counted := after.accepted-after.open, total(after.closed); ended > counted {
		j.find("connections closed without a reason", fmt.Sprintf("%v have ended, %v are counted: %v", ended, counted, after.closed))
	}
	if n := after.closed["other"]; n > 0 {
		j.find("reasons for closing that have no name", fmt.Sprint(after.closed))
	}
	if after.goroutines > before.goroutines+20 {
		j.find("goroutines are left", fmt.Sprintf("%v, before %v", after.goroutines, before.goroutines))
	}
	if after.descriptors > before.descriptors+20 {
		j.find("descriptors are left", fmt.Sprintf("%v, before %v", after.descriptors, before.descriptors))
	}
	return after
}

func (j *judge) bounded(what string, from, peak, most int64) {
	if peak-from > most {
		j.find(what, fmt.Sprintf("from %d to %d MiB", from>>20, peak>>20))
	}
}

// mostGrowth of the resident memory (security: a pass needs less).
const mostGrowth = 64 << 20

// settled waits until the connections of the attack have ended, which those that
// linger do within a second.
func (v victim) settled(before state) (s state) {
	for range 100 {
		if s = v.state(); s.open <= before.open && s.goroutines <= before.goroutines+20 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return s
}

func total(counts map[string]float64) (sum float64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}
