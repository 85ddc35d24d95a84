//go:build hostile

package hostile

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/brokerd/brokerd/test/raw"
)

// patient is the healthy client: it produces with acks=all and fetches, one
// request at a time, and measures each.
type patient struct {
	conn           *raw.Conn
	produce, fetch []byte
	failed         atomic.Pointer[error]
}

func newPatient(v victim) *patient {
	t := v.topic("healthy", 1)
	c, err := raw.Dial(v.node.Addr())
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = c.Close() })
	return &patient{conn: c, produce: raw.Produce(t.topic, 0, -1, raw.Batch(1, 100, time.Now().UnixMilli())), fetch: raw.Fetch(t.topic, 0, 0, 1000)}
}

// measure sends requests with a millisecond between them until stop closes, and
// returns how long each took.
func (p *patient) measure(stop <-chan struct{}) (took []time.Duration) {
	for {
		select {
		case <-stop:
			return took
		case <-time.After(time.Millisecond):
		}
		began := time.Now()
		if err := p.once(); err != nil {
			p.failed.CompareAndSwap(nil, &err)
			return took
		}
		took = append(took, time.Since(began))
	}
}

func (p *patient) once() error {
	if err := p.conn.SetDeadline(time.Now().Add(never)); err != nil {
		return err
	}
	if err := p.conn.Send(p.produce); err != nil {
		return err
	}
	body, err := p.conn.Receive()
	if err != nil {
		return err
	}
	resp := kmsg.NewPtrProduceResponse()
	resp.SetVersion(7)
	if err := resp.ReadFrom(body[4:]); err != nil {
		return err
	}
	if code := resp.Topics[0].Partitions[0].ErrorCode; code != 0 {
		return fmt.Errorf("produce: error %d", code)
	}
	if err := p.conn.Send(p.fetch); err != nil {
		return err
	}
	_, err = p.conn.Receive()
	return err
}

// during measures while f runs.
func (p *patient) during(f func()) []time.Duration {
	stop, done := make(chan struct{}), make(chan []time.Duration)
	go func() { done <- p.measure(stop) }()
	f()
	close(stop)
	return <-done
}

func quantile(took []time.Duration, q float64) time.Duration {
	if len(took) == 0 {
		return 0
	}
	took = slices.Sorted(slices.Values(took))
	return took[min(int(q*float64(len(took))), len(took)-1)]
}

// pairs is what H2 compares.
type pairs struct{ quiet, attacked []time.Duration }

func (p *pairs) add(quiet, attacked []time.Duration) {
	if len(quiet) >= 20 && len(attacked) >= 20 {
		p.quiet = append(p.quiet, quantile(quiet, 0.99).Round(10*time.Microsecond))
		p.attacked = append(p.attacked, quantile(attacked, 0.99).Round(10*time.Microsecond))
	}
}

// ratio is a quantile of the pairs' ratios.
func (p *pairs) ratio(q float64) float64 {
	var ratios []float64
	for i := range p.quiet {
		ratios = append(ratios, float64(p.attacked[i])/float64(p.quiet[i]))
	}
	if len(ratios) == 0 {
		return 0
	}
	slices.Sort(ratios)
	return ratios[int(q*float64(len(ratios)))]
}
