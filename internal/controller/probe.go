package controller

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/internal/meta"
)

const (
	// maxSuspects is how many brokers may wait to be looked at; whoever does not
	// fit is found dead by its silence.
	maxSuspects = 1024
	probeLimit  = 300 * time.Millisecond // for all dials
	probePause  = 100 * time.Millisecond // between two of them
)

// Suspect says that a broker may be dead: its connection to the controller has
// ended. If nobody listens where it listened, twice within 300 ms, it is dead;
// one that is only silent has the rest of its session. It returns at once.
func (c *Controller) Suspect(broker int32) {
	if !c.active.Load() || broker == c.o.Node {
		return
	}
	select {
	case c.suspects <- broker:
	default: // found by its silence
	}
}

// suspectAll looks at every broker that the image calls alive: a new controller
// never had a connection from one that has died meanwhile.
func (c *Controller) suspectAll(im *meta.Image) {
	for b := range im.Brokers() {
		if b.State != meta.Fenced {
			c.Suspect(b.ID)
		}
	}
}

// runProbes looks at suspects, each on a goroutine of its own that ends within
// probeLimit.
func (c *Controller) runProbes(ctx context.Context) {
	var probes sync.WaitGroup
	defer probes.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-c.suspects:
			if b, ok := c.o.Catalog.Image().Broker(id); ok && b.State != meta.Fenced && c.o.Network != nil {
				probes.Go(func() { c.probe(ctx, b) })
			}
		}
	}
}

func (c *Controller) probe(ctx context.Context, b *meta.Broker) {
	if at, ok := c.reachedAt(b); !ok || !c.gone(ctx, at) {
		return // it lives, or is silent
	}
	c.mu.Lock()
	died := c.leading != nil && c.leading.live.died(b)
	c.mu.Unlock()
	if died {
		c.o.Log.Info("broker is dead: nobody listens where it did", "broker", b.ID, "epoch", b.Epoch)
		c.kick()
	}
}

// gone says whether surely nobody listens at an address any more: two dials are
// refused. It returns within probeLimit.
func (c *Controller) gone(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	// A process that is killed closes its connections one by one: the one whose end
	// made it suspect may go before the listener does, which then takes one more.
	for refused, taken := 0, 0; ; {
		if c.refuses(ctx, address) {
			refused++
		} else {
			taken++
		}
		if refused == 2 || taken == 2 {
			return refused == 2
		}
		select {
		case <-time.After(probePause):
		case <-ctx.Done():
			return false
		}
	}
}

// reachedAt is where a broker listens for others.
func (c *Controller) reachedAt(b *meta.Broker) (address string, ok bool) {
	at := -1
	for i, e := range b.Endpoints {
		if at < 0 || e.Listener == c.o.InterBroker {
			at = i
		}
	}
	if at < 0 {
		return "", false
	}
	e := b.Endpoints[at]
	return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))), true
}

func (c *Controller) refuses(ctx context.Context, address string) bool {
	conn, err := c.o.Network.Dial(ctx, address)
	if err == nil {
		_ = conn.Close() // it was only to see whether somebody is there
		return false
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
