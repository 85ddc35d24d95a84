package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Metadata measures a controller.
type Metadata struct {
	Partitions int // that it holds in the end, at most Most
	PerTopic   int // of them, at most MostPerTopic
	// Within bounds how long topics are created; what is there then is measured.
	Within time.Duration
	// Command, run by sh in the foreground, starts a controller that listens at
	// Address; empty: one of this program, which goes by the name Called.
	Command, Address, Called string
	Note                     func(format string, args ...any) // hears of progress

	c       *controller
	brokers []*nominal
	topics  int    // that exist; they are called by number
	last    string // the name of the last one
	result  Result
}

// Most is what metadata is made for: no cluster may have more partitions.
const Most = 2_000_000

// MostPerTopic is how many partitions one request creates; Kafka takes 10,000 at most.
const MostPerTopic = 2000

// Result is what was measured. Times are in milliseconds.
type Result struct {
	Topics     int `json:"topics"`
	Partitions int `json:"partitions"`

	GrowMs      float64 `json:"growMs"`   // to create all but the last 10,000 topics
	CreateMs    float64 `json:"createMs"` // the last Created topics, of one partition each
	Created     int     `json:"created"`
	FenceMs     float64 `json:"fenceMs"`              // from a broker's wish to be fenced to the answer that it is
	RestartMs   float64 `json:"restartMs"`            // from exec to the answer that the last topic exists
	MetadataMs  float64 `json:"metadataMs,omitempty"` // one answer with everything; 0: controllers do not give it
	ResidentMB  float64 `json:"residentMB"`           // of the controller once all is created
	RestartedMB float64 `json:"restartedMB"`          // and after the restart
	EmptyMB     float64 `json:"emptyMB"`              // and before anything is
	StartMs     float64 `json:"startMs"`              // of the empty controller
}

const (
	brokers     = 3
	firstBroker = 1001   // the id of the first nominal broker: no controller has it
	underway    = 4      // requests under way
	lastTopics  = 10_000 // topics that are created and timed in the end
)

// Run measures. It returns when the controller has ended.
func (b *Metadata) Run(ctx context.Context) (_ *Result, err error) {
	dir, err := os.MkdirTemp("", "brokerd-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if b.c, err = b.chosen(dir); err != nil {
		return nil, err
	}
	defer func() {
		for _, n := range b.brokers {
			n.leave()
		}
		b.c.stop()
	}()
	for _, step := range []func(context.Context) error{b.begin, b.grow, b.create, b.fence, b.everything, b.again} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return &b.result, nil
}

// chosen is the controller that the flags ask for.
func (b *Metadata) chosen(dir string) (*controller, error) {
	if b.Command == "" {
		return ownController(dir, b.Called)
	}
	return &controller{program: "/bin/sh", words: []string{"sh", "-c", b.Command}, env: os.Environ(), addr: b.Address, output: filepath.Join(dir, "output")}, nil
}

// begin starts the controller and lets the brokers in.
func (b *Metadata) begin(ctx context.Context) error {
	var cluster string
	took, err := b.c.start(ctx, func(ctx context.Context) (err error) {
		if cluster, err = b.clusterID(ctx); err != nil {
			return err
		}
		n, err := b.c.register(ctx, firstBroker, cluster)
		if err == nil {
			b.brokers = append(b.brokers, n)
		}
		return err
	})
	if err != nil {
		return err
	}
	b.result.StartMs = inMs(took)
	for i := int32(1); i < brokers; i++ {
		n, err := b.c.register(ctx, firstBroker+i, cluster)
		if err != nil {
			return err
		}
		b.brokers = append(b.brokers, n)
	}
	if err := b.revive(ctx); err != nil {
		return err
	}
	b.result.EmptyMB, err = b.c.residentMB()
	return err
}

func (b *Metadata) revive(ctx context.Context) error {
	for _, n := range b.brokers {
		n.rest()
		if err := n.live(ctx, b.c); err != nil {
			return err
		}
	}
	return nil
}

// clusterID asks for it where controllers are asked.
func (b *Metadata) clusterID(ctx context.Context) (string, error) {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.EndpointType = 2 // controllers
	resp, err := b.c.do(ctx, req)
	if err != nil {
		return "", err
	}
	r := resp.(*kmsg.DescribeClusterResponse)
	if r.ErrorCode == 0 && r.ClusterID == "" {
		return "", errors.New("the cluster has no name yet")
	}
	return r.ClusterID, kerr.ErrorForCode(r.ErrorCode)
}

// grow creates topics until all but the last are there, or time is up.
func (b *Metadata) grow(ctx context.Context) error {
	began, told := time.Now(), time.Now()
	want := b.Partitions - min(lastTopics, b.Partitions/2)
	limit, cancel := context.WithTimeout(ctx, b.Within)
	defer cancel()
	if err := b.createAll(ctx, want/b.PerTopic, b.PerTopic, func() bool {
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			b.Note("%d of %d partitions after %s", b.result.Partitions, b.Partitions, time.Since(began).Round(time.Second))
		}
		return limit.Err() == nil
	}); err != nil {
		return err
	}
	b.result.GrowMs = inMs(time.Since(began))
	return nil
}

// create is the topics that are timed by themselves, and then the memory for all.
func (b *Metadata) create(ctx context.Context) error {
	began := time.Now()
	b.result.Created = min(lastTopics, b.Partitions/2)
	if err := b.createAll(ctx, b.result.Created, 1, func() bool { return true }); err != nil {
		return err
	}
	b.result.CreateMs = inMs(time.Since(began))
	var err error
	b.result.ResidentMB, err = b.c.residentMB()
	return err
}

// createAll creates n topics, some requests ahead, as long as more says so.
func (b *Metadata) createAll(ctx context.Context, n, partitions int, more func() bool) error {
	type request struct {
		topics int
		answer func(context.Context) (kmsg.Response, error)
	}
	var under []request
	for n > 0 || len(under) > 0 {
		for len(under) < underway && n > 0 && more() {
			topics := min(n, max(MostPerTopic/partitions, 1))
			under = append(under, request{topics, b.c.peer.Send(b.creation(topics, partitions)).Wait})
			n -= topics
		}
		if len(under) == 0 {
			return nil // time is up
		}
		resp, err := under[0].answer(ctx)
		if err != nil {
			return fmt.Errorf("create topics: %w", err)
		}
		for _, t := range resp.(*kmsg.CreateTopicsResponse).Topics {
			if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
				return fmt.Errorf("create topic %s: %w", t.Topic, err)
			}
			b.last = t.Topic
		}
		b.result.Topics += under[0].topics
		b.result.Partitions += under[0].topics * partitions
		under = under[1:]
	}
	return nil
}

func (b *Metadata) creation(topics, partitions int) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(patience.Milliseconds())
	for range topics {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = fmt.Sprintf("topic-%07d", b.topics), int32(partitions), brokers
		req.Topics = append(req.Topics, t)
		b.topics++
	}
	return req
}

func (b *Metadata) fence(ctx context.Context) error {
	took, err := b.brokers[0].fence(ctx, b.c)
	b.result.FenceMs = inMs(took)
	return err
}

// everything asks for all metadata, and finds that nobody is led by who is fenced.
func (b *Metadata) everything(ctx context.Context) error {
	req := kmsg.NewPtrMetadataRequest()
	began := time.Now()
	resp, err := b.c.do(ctx, req)
	if err != nil {
		return nil // a controller that serves no clients
	}
	b.result.MetadataMs = inMs(time.Since(began))
	partitions := 0
	for _, t := range resp.(*kmsg.MetadataResponse).Topics {
		for _, p := range t.Partitions {
			partitions++
			if p.Leader < 0 || p.Leader == b.brokers[0].id {
				return fmt.Errorf("%s-%d is led by %d although broker %d is fenced", *t.Topic, p.Partition, p.Leader, b.brokers[0].id)
			}
		}
	}
	if partitions != b.result.Partitions {
		return fmt.Errorf("the metadata has %d partitions, %d were created", partitions, b.result.Partitions)
	}
	return nil
}

// again stops the controller and starts it: it serves when it knows the last topic.
func (b *Metadata) again(ctx context.Context) error {
	for _, n := range b.brokers {
		n.rest()
	}
	b.c.stop()
	took, err := b.c.start(ctx, func(ctx context.Context) error {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis = 10_000
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = b.last, 1, 1
		req.Topics = append(req.Topics, t)
		resp, err := b.c.do(ctx, req)
		if err != nil {
			return err
		}
		switch code := resp.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode; code {
		case kerr.TopicAlreadyExists.Code:
			return nil
		case 0:
			return fmt.Errorf("topic %s is gone after a restart: %w", b.last, errFinal)
		default:
			return kerr.ErrorForCode(code)
		}
	})
	if err != nil {
		return err
	}
	b.result.RestartMs = inMs(took)
	b.result.RestartedMB, err = b.c.residentMB()
	return err
}

func inMs(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
