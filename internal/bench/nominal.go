package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// nominal is a broker in name only: a listener that takes connections, and heartbeats.
//
// Goroutines: one that accepts, one that sends heartbeats; ended by leave.
type nominal struct {
	id     int32
	epoch  int64
	listen net.Listener
	peer   *wire.Peer // for its heartbeats
	cancel context.CancelFunc
	done   chan struct{}
}

// beatEvery keeps the shortest session alive, brokerd's of 3 s, under load too.
const beatEvery = 400 * time.Millisecond

// register brings a nominal broker into the cluster and keeps it there.
func (c *controller) register(ctx context.Context, id int32, cluster string) (*nominal, error) {
	features, err := c.features(ctx)
	if err != nil {
		return nil, err
	}
	n := &nominal{id: id}
	if n.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	go func() { // ends when the listener is closed
		for {
			conn, err := n.listen.Accept()
			if err != nil {
				return
			}
			_ = conn.Close() // that somebody is here was all that it wanted to know
		}
	}()
	req := kmsg.NewPtrBrokerRegistrationRequest()
	req.BrokerID, req.ClusterID, req.PreviousBrokerEpoch = id, cluster, -1
	rand.Read(req.IncarnationID[:])
	port := uint16(n.listen.Addr().(*net.TCPAddr).Port)
	for _, name := range []string{"PLAINTEXT", "CONTROLLER"} { // by the second one whoever asks the controller is shown brokers
		req.Listeners = append(req.Listeners, kmsg.BrokerRegistrationRequestListener{Name: name, Host: "127.0.0.1", Port: port})
	}
	for _, f := range features { // a broker that knows what the controller does
		req.Features = append(req.Features, kmsg.BrokerRegistrationRequestFeature{Name: f.Name, MinSupportedVersion: f.MinVersion, MaxSupportedVersion: f.MaxVersion})
	}
	var dir [16]byte
	rand.Read(dir[:])
	req.LogDirs = [][16]byte{dir}
	resp, err := c.do(ctx, req)
	if err == nil {
		err = kerr.ErrorForCode(resp.(*kmsg.BrokerRegistrationResponse).ErrorCode)
		if err != nil && !kerr.IsRetriable(err) {
			err = fmt.Errorf("%w: %w", err, errFinal)
		}
	}
	if err != nil {
		n.listen.Close()
		return nil, fmt.Errorf("register broker %d: %w", id, err)
	}
	n.epoch = resp.(*kmsg.BrokerRegistrationResponse).BrokerEpoch
	return n, nil
}

// features are what the controller supports.
func (c *controller) features(ctx context.Context) ([]kmsg.ApiVersionsResponseSupportedFeature, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "brokerd", "1"
	resp, err := c.do(ctx, req)
	if err != nil {
		return nil, err
	}
	r := resp.(*kmsg.ApiVersionsResponse)
	return r.SupportedFeatures, kerr.ErrorForCode(r.ErrorCode)
}

// live sends heartbeats until the broker is unfenced, and goes on until leave.
func (n *nominal) live(ctx context.Context, c *controller) error {
	n.peer = c.connect()
	for limit := time.Now().Add(patience); ; {
		fenced, err := n.beat(ctx, false)
		if err != nil {
			return err
		}
		if !fenced {
			break
		}
		if time.Now().After(limit) {
			return fmt.Errorf("broker %d stays fenced for %v", n.id, patience)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	ctx, n.cancel = context.WithCancel(ctx)
	n.done = make(chan struct{})
	go func(done chan struct{}) { // ends with rest
		defer close(done)
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _ = n.beat(ctx, false) // a controller that is away hears the next one
			case <-ctx.Done():
				return
			}
		}
	}(n.done)
	return nil
}

// rest ends the heartbeats.
func (n *nominal) rest() {
	if n.cancel != nil {
		n.cancel()
		<-n.done
		n.cancel = nil
	}
	if n.peer != nil {
		n.peer.Close()
		n.peer = nil
	}
}

// fence has the broker fenced: from the wish to the answer that it is so.
func (n *nominal) fence(ctx context.Context, c *controller) (time.Duration, error) {
	n.rest()
	n.peer = c.connect()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for began := time.Now(); ; {
		fenced, err := n.beat(ctx, true)
		if err != nil || fenced {
			return time.Since(began), err
		}
		time.Sleep(time.Millisecond)
	}
}

func (n *nominal) leave() {
	n.rest()
	n.listen.Close()
}

// beat is one heartbeat of a broker that has applied whatever there is.
func (n *nominal) beat(ctx context.Context, wantFence bool) (fenced bool, err error) {
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID, req.BrokerEpoch, req.CurrentMetadataOffset, req.WantFence = n.id, n.epoch, math.MaxInt64, wantFence
	resp, err := n.peer.Send(req).Wait(ctx)
	if err != nil {
		return false, err
	}
	r := resp.(*kmsg.BrokerHeartbeatResponse)
	if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
		return false, fmt.Errorf("heartbeat of broker %d: %w", n.id, err)
	}
	return r.IsFenced, nil
}
