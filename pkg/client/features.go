package client

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Feature is a level that the cluster has agreed upon, or could.
type Feature struct {
	Name      string         `json:"name"`
	Finalized int16          `json:"finalized"` // 0: not agreed upon
	Epoch     int64          `json:"epoch"`     // of the whole set; -1: not told
	Nodes     []NodeFeatures `json:"nodes"`
}

// NodeFeatures is what one broker knows of a feature. Err: it does not say.
type NodeFeatures struct {
	Node int32 `json:"node"`
	Min  int16 `json:"min"`
	Max  int16 `json:"max"`
	Err  error `json:"-"`
}

// MetadataFeature is the level of brokerd's own metadata.
const MetadataFeature = "brokerd.metadata"

// Feature asks every broker of the cluster what it knows of a feature.
func (a *Admin) Feature(ctx context.Context, name string) (Feature, error) {
	cluster, err := a.Cluster(ctx)
	if err != nil {
		return Feature{}, err
	}
	out := Feature{Name: name, Epoch: -1, Nodes: make([]NodeFeatures, len(cluster.Brokers))}
	answers := make([]*kmsg.ApiVersionsResponse, len(cluster.Brokers))
	var asked sync.WaitGroup
	for i, b := range cluster.Brokers {
		out.Nodes[i].Node = b.ID
		asked.Go(func() { answers[i], out.Nodes[i].Err = a.versionsOf(ctx, b.ID) })
	}
	asked.Wait()
	for i, resp := range answers {
		if resp == nil {
			continue
		}
		for _, f := range resp.SupportedFeatures {
			if f.Name == name {
				out.Nodes[i].Min, out.Nodes[i].Max = f.MinVersion, f.MaxVersion
			}
		}
		for _, f := range resp.FinalizedFeatures {
			if f.Name == name && resp.FinalizedFeaturesEpoch >= out.Epoch {
				out.Finalized, out.Epoch = f.MaxVersionLevel, resp.FinalizedFeaturesEpoch
			}
		}
	}
	return out, nil
}

// Features is the features that one broker knows, node -1: any; by name.
func (a *Admin) Features(ctx context.Context, node int32) (list []Feature, err error) {
	resp, err := a.versionsOf(ctx, node)
	if err != nil {
		return nil, err
	}
	for _, s := range resp.SupportedFeatures {
		f := Feature{Name: s.Name, Epoch: resp.FinalizedFeaturesEpoch, Nodes: []NodeFeatures{{Node: node, Min: s.MinVersion, Max: s.MaxVersion}}}
		for _, now := range resp.FinalizedFeatures {
			if now.Name == s.Name {
				f.Finalized = now.MaxVersionLevel
			}
		}
		list = append(list, f)
	}
	return list, nil
}

func (a *Admin) versionsOf(ctx context.Context, node int32) (*kmsg.ApiVersionsResponse, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "brokerd", "1"
	ask := req.RequestWith
	var resp *kmsg.ApiVersionsResponse
	var err error
	if node < 0 {
		resp, err = ask(ctx, a.c.raw)
	} else {
		resp, err = ask(ctx, a.c.raw.Broker(int(node)))
	}
	const doing = "ask which versions a broker knows"
	if err != nil {
		return nil, a.c.explain(doing, "", err)
	}
	return resp, answer(doing, "", resp.ErrorCode, nil)
}

// UpgradeType is what an update of a feature is meant to be.
type UpgradeType int8

const (
	Upgrade         UpgradeType = 1
	SafeDowngrade   UpgradeType = 2
	UnsafeDowngrade UpgradeType = 3
)

// FeatureUpdate asks for another level of a feature.
type FeatureUpdate struct {
	Name  string
	Level int16
	Type  UpgradeType
}

// UpdateFeatures moves features to other levels, all or none; dry only asks
// whether it would.
func (a *Admin) UpdateFeatures(ctx context.Context, updates []FeatureUpdate, dry bool) error {
	const doing = "update the features"
	req := kmsg.NewPtrUpdateFeaturesRequest()
	req.ValidateOnly, req.TimeoutMillis = dry, int32(adminTimeout.Milliseconds())
	for _, u := range updates {
		f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		f.Feature, f.MaxVersionLevel, f.UpgradeType = u.Name, u.Level, int8(u.Type)
		req.FeatureUpdates = append(req.FeatureUpdates, f)
	}
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return a.c.explain(doing, "", err)
	}
	if err := answer(doing, "", resp.ErrorCode, resp.ErrorMessage); err != nil {
		return err
	}
	for _, r := range resp.Results {
		if err := answer(doing, r.Feature, r.ErrorCode, r.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}

// Unregister makes the cluster forget a broker that does not run.
func (a *Admin) Unregister(ctx context.Context, node int32) error {
	const doing = "unregister the broker"
	req := kmsg.NewPtrUnregisterBrokerRequest()
	req.BrokerID = node
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return a.c.explain(doing, "", err)
	}
	return answer(doing, "", resp.ErrorCode, resp.ErrorMessage)
}

// NodeEndpoint is where a node is reached.
type NodeEndpoint struct {
	Broker
	Fenced bool
}

// Endpoints tells the cluster's id and where its brokers are, fenced ones where
// asked, or its controllers, when the client is connected to one.
func (a *Admin) Endpoints(ctx context.Context, controllers, fenced bool) (cluster string, list []NodeEndpoint, err error) {
	const doing = "describe the cluster"
	req := kmsg.NewPtrDescribeClusterRequest()
	req.EndpointType, req.IncludeFencedBrokers = 1, fenced
	if controllers {
		req.EndpointType = 2
	}
	resp, err := req.RequestWith(ctx, a.c.raw)
	if err != nil {
		return "", nil, a.c.explain(doing, "", err)
	}
	if err := answer(doing, "", resp.ErrorCode, resp.ErrorMessage); err != nil {
		return "", nil, err
	}
	for _, b := range resp.Brokers {
		list = append(list, NodeEndpoint{newBroker(b.NodeID, b.Host, b.Port, b.Rack), b.IsFenced})
	}
	return resp.ClusterID, list, nil
}
