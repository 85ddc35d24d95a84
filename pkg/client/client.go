package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Client is a connection to one cluster. Safe for concurrent use.
type Client struct {
	raw      *kgo.Client
	dialer   *dialer
	brokers  []string
	warnings []string
	maxBlock time.Duration
}

// New makes a client. It does not connect: the first request does, or Connect.
func New(options ...Option) (*Client, error) {
	c := newConfig()
	for _, o := range options {
		if err := o(c); err != nil {
			return nil, err
		}
	}
	return c.open()
}

// FromProperties makes a client from a file with Java's names
// (bootstrap.servers, acks, security.protocol …). Options outrank the file.
func FromProperties(file string, options ...Option) (*Client, error) {
	p, err := LoadProperties(file)
	if err != nil {
		return nil, err
	}
	return New(append([]Option{WithProperties(p)}, options...)...)
}

func (c *config) open() (*Client, error) {
	opts, err := c.build()
	if err != nil {
		return nil, err
	}
	d := newDialer(c.brokers, c.tls, c.connectTimeout)
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(describeReplicasKey, 0)
	opts = append(opts,
		kgo.SeedBrokers(c.brokers...),
		kgo.Dialer(d.dial),
		kgo.DialTimeout(d.each),
		kgo.MaxVersions(versions),
		kgo.SoftwareNameAndVersion(softwareName, softwareVersion),
		kgo.DisableClientMetrics(),
	)
	raw, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("client options: %w", err)
	}
	return &Client{raw: raw, dialer: d, brokers: c.brokers, warnings: c.warnings, maxBlock: c.maxBlock}, nil
}

// softwareName makes a broker advertise its own APIs in ApiVersions.
const (
	softwareName    = "brokerd"
	softwareVersion = "0.1.0"
)

// Close ends all connections. Records that are still buffered are lost: Flush first.
func (c *Client) Close() { c.raw.Close() }

// Raw is the client below.
func (c *Client) Raw() *kgo.Client { return c.raw }

// Brokers are the bootstrap addresses, each once.
func (c *Client) Brokers() []string { return c.brokers }

// Warnings says what of the given properties has no effect, and why.
func (c *Client) Warnings() []string { return c.warnings }

// MaxBlock is max.block.ms: how long a caller may wait for the cluster before
// the first byte moves.
func (c *Client) MaxBlock() time.Duration { return c.maxBlock }

// Admin administrates the cluster.
func (c *Client) Admin() *Admin { return &Admin{c: c, adm: kadm.NewClient(c.raw)} }

// Connect makes sure that one bootstrap address answers, within the connect
// timeout (5 s). The error is an *UnreachableError that says what each did.
func (c *Client) Connect(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, c.dialer.total)
	defer cancel()
	c.preferAnswering(limited)
	err := c.ping(limited)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case isAuthError(err):
		return &Error{Doing: "authenticate to", Name: strings.Join(c.brokers, ","), Code: authCode(err), Message: err.Error()}
	}
	return c.dialer.unreachable(c.brokers, err)
}

// preferAnswering puts the bootstrap address that answers first before the others:
// franz-go asks one after the other, and waits ten seconds for one that hangs.
func (c *Client) preferAnswering(ctx context.Context) {
	if len(c.brokers) < 2 {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan string, len(c.brokers)) // one of each
	for _, addr := range c.brokers {
		go func() {
			if !c.dialer.answers(ctx, addr) {
				addr = ""
			}
			answers <- addr
		}()
	}
	for range c.brokers {
		if addr := <-answers; addr != "" {
			rest := slices.DeleteFunc(slices.Clone(c.brokers), func(a string) bool { return a == addr })
			_ = c.raw.UpdateSeedBrokers(append([]string{addr}, rest...)...) // they were accepted before
			return
		}
	}
}

// ping asks until ctx ends. franz-go gives a connection that has been made 10
// seconds to answer, whatever ctx says: the goroutine may outlive the call.
func (c *Client) ping(ctx context.Context) error {
	done := make(chan error, 1) // filled once
	go func() { done <- c.raw.Ping(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Guard gives a context that ends, with an *AdvertisedError as its cause, when
// the cluster answers but none of the addresses that it tells clients to use
// can be reached: franz-go alone would try for ever.
func (c *Client) Guard(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	c.dialer.watch(cancel)
	return ctx, func() { cancel(context.Canceled) }
}
