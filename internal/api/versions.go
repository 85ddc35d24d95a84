package api

import (
	"strings"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ownSoftware is the client software name that asks for our own keys. Others
// never see them: a client that meets a key it does not know may stumble.
const ownSoftware = "brokerd"

// metadataFeature names our own feature level in ApiVersions. None of Kafka's
// features is claimed before what it stands for is served: a client that sees
// transaction.version 2 sends transactions that need it.
const metadataFeature = controller.LevelFeature

// versions answers ApiVersions (18): what this broker serves.
type versions struct {
	d       Deps
	public  []kmsg.ApiVersionsResponseApiKey
	private []kmsg.ApiVersionsResponseApiKey // with the hidden ones
	self    []kmsg.ApiVersionsResponseApiKey // ApiVersions alone
}

func newVersions(d Deps, table []Endpoint) *versions {
	v := &versions{d: d}
	for _, e := range table {
		k := kmsg.ApiVersionsResponseApiKey{ApiKey: e.Key, MinVersion: e.Min, MaxVersion: e.Max}
		v.private = append(v.private, k)
		if !e.Hidden {
			v.public = append(v.public, k)
		}
		if e.Key == apiVersionsKey {
			v.self = append(v.self, k)
		}
	}
	return v
}

func (v *versions) serve(c *wire.Call) wire.Outcome {
	if c.Version > v.self[0].MaxVersion {
		return v.tooNew(c)
	}
	req := kmsg.NewPtrApiVersionsRequest()
	if !read(c, req) {
		return malformed()
	}
	resp := kmsg.NewPtrApiVersionsResponse()
	if resp.ErrorCode = v.check(req); resp.ErrorCode != 0 {
		return wire.Respond(c, resp)
	}
	c.Client.Software, c.Client.SoftwareVersion = req.ClientSoftwareName, req.ClientSoftwareVersion
	resp.ApiKeys = v.public
	if req.ClientSoftwareName == ownSoftware {
		resp.ApiKeys = v.private
	}
	v.features(resp)
	return wire.Respond(c, resp)
}

// tooNew answers a version that we do not know in version 0, with the versions
// of ApiVersions itself, so that the client comes back with one that both know
// (KIP-511). Closing would make it guess.
func (v *versions) tooNew(c *wire.Call) wire.Outcome {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	resp.ApiKeys = v.self
	r := c.Reply()
	r.Version = 0
	return &wire.Ready{Answer: r.Answer(resp)}
}

// check gives the error code of a request, 0 if there is nothing wrong with it.
func (v *versions) check(req *kmsg.ApiVersionsRequest) int16 {
	if req.Version >= 3 && !(validSoftware(req.ClientSoftwareName) && validSoftware(req.ClientSoftwareVersion)) {
		return kerr.InvalidRequest.Code
	}
	if named, numbered := req.ClusterID != nil, req.NodeID != -1; named != numbered {
		return kerr.InvalidRequest.Code
	} else if !named {
		return 0
	}
	// KIP-1242: a client that was led to the wrong broker wants to know.
	if id := v.d.Catalog.Image().ClusterID(); id != "" && id != *req.ClusterID || req.NodeID != v.d.Conf.NodeID {
		return kerr.RebootstrapRequired.Code
	}
	return 0
}

// features tells what this program knows, and what the cluster has agreed upon,
// if anything: nothing is before the first entry.
func (v *versions) features(resp *kmsg.ApiVersionsResponse) {
	resp.SupportedFeatures = []kmsg.ApiVersionsResponseSupportedFeature{
		{Name: metadataFeature, MinVersion: meta.MinLevel, MaxVersion: meta.MaxLevel},
	}
	im := v.d.Catalog.Image()
	if im.ClusterID() == "" {
		return
	}
	f := im.Features()
	resp.FinalizedFeaturesEpoch = f.Epoch
	resp.FinalizedFeatures = []kmsg.ApiVersionsResponseFinalizedFeature{
		{Name: metadataFeature, MinVersionLevel: f.Metadata, MaxVersionLevel: f.Metadata},
	}
}

// validSoftware reports whether s matches [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
func validSoftware(s string) bool {
	if s == "" || strings.Trim(s, "-.") != s {
		return false
	}
	for _, b := range []byte(s) {
		if !alphanumeric(b) && b != '-' && b != '.' {
			return false
		}
	}
	return true
}

func alphanumeric(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}
