package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Admin administrates a cluster. It holds no state of its own.
type Admin struct {
	c   *Client
	adm *kadm.Client
}

// Kadm is franz-go's own admin client, for what Admin has no sentence for.
func (a *Admin) Kadm() *kadm.Client { return a.adm }

// adminTimeout is what a broker is given to carry a change out.
const adminTimeout = 30 * time.Second

// Cluster is who is there.
type Cluster struct {
	ID         string   `json:"clusterId"`
	Controller int32    `json:"controller"` // -1: none known
	Brokers    []Broker `json:"brokers"`
}

// Broker is one broker as clients reach it.
type Broker struct {
	ID   int32  `json:"id"`
	Host string `json:"host"`
	Port int32  `json:"port"`
	Rack string `json:"rack,omitempty"`
}

// Cluster describes the cluster: its id, its brokers by id, its controller.
func (a *Admin) Cluster(ctx context.Context) (Cluster, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return Cluster{}, a.c.explain("describe the cluster", "", err)
	}
	out := Cluster{Controller: resp.ControllerID}
	if resp.ClusterID != nil {
		out.ID = *resp.ClusterID
	}
	for _, b := range resp.Brokers {
		out.Brokers = append(out.Brokers, newBroker(b.NodeID, b.Host, b.Port, b.Rack))
	}
	sort.Slice(out.Brokers, func(i, j int) bool { return out.Brokers[i].ID < out.Brokers[j].ID })
	return out, nil
}

func newBroker(id int32, host string, port int32, rack *string) Broker {
	b := Broker{ID: id, Host: host, Port: port}
	if rack != nil {
		b.Rack = *rack
	}
	return b
}

// RegisteredBrokers lists all brokers that the cluster knows, by id, those too
// that are not there.
func (a *Admin) RegisteredBrokers(ctx context.Context) ([]Broker, error) {
	_, list, err := a.Endpoints(ctx, false, true)
	if err != nil {
		return nil, err
	}
	out := make([]Broker, len(list))
	for i, n := range list {
		out[i] = n.Broker
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out, nil
}

// explain gives a failed request its context: what could not be reached, if
// that is why, otherwise what was being done.
func (c *Client) explain(doing, name string, err error) error {
	var answered *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answered):
		return err
	case isAuthError(err):
		return &Error{Doing: doing, Name: name, Code: authCode(err), Message: err.Error()}
	case unknownBroker(err):
		return &Error{Doing: doing, Name: name, Code: ErrUnknownBroker, Message: "the cluster has no such broker"}
	case unsupported(err):
		return &Error{Doing: doing, Name: name, Code: ErrUnsupported, Message: "this broker does not know the request"}
	}
	if trouble := c.dialer.trouble(c.brokers); trouble != nil {
		return trouble
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		if trouble := c.dialer.lastTrouble(); trouble != nil {
			return trouble
		}
	}
	var code *kerr.Error
	if errors.As(err, &code) { // franz-go asked on behalf of the request, where to send it
		return &Error{Doing: doing, Name: name, Code: code}
	}
	if name != "" {
		doing = fmt.Sprintf("%s %q", doing, name)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
