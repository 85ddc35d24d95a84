//go:build oracle

package oracle

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestUpdateFeatures asks for levels that cannot be, and for what is already:
// of the feature that each side calls its metadata, and of one that nobody has.
func TestUpdateFeatures(t *testing.T) {
	p := newPair(t)
	metadata := func(s *side) (name string, level, most int16) {
		resp, _ := s.do(t, 3, func() kmsg.Request {
			req := kmsg.NewPtrApiVersionsRequest()
			req.ClientSoftwareName, req.ClientSoftwareVersion = "oracle", "1"
			return req
		}())
		v := resp.(*kmsg.ApiVersionsResponse)
		for _, f := range v.FinalizedFeatures {
			if f.Name == "metadata.version" || f.Name == "brokerd.metadata" {
				for _, s := range v.SupportedFeatures {
					if s.Name == f.Name {
						most = s.MaxVersion
					}
				}
				return f.Name, f.MaxVersionLevel, most
			}
		}
		t.Fatalf("%s has no metadata feature: %+v", s.name, v.FinalizedFeatures)
		return "", 0, 0
	}
	type update struct {
		name     string
		level    int16
		relative bool // to the finalized level
		kind     int8
	}
	for name, updates := range map[string][]update{
		"nothing":           nil,
		"one nobody has":    {{"nosuch", 1, false, 1}},
		"below zero":        {{"nosuch", -1, false, 1}},
		"no such type":      {{"nosuch", 1, false, 9}},
		"as it is":          {{"", 0, true, 1}},
		"as it is, down":    {{"", 0, true, 2}},
		"up, called down":   {{"", 0, true, 3}},
		"one good, one bad": {{"", 0, true, 1}, {"nosuch", 1, false, 1}},
	} {
		for v := int16(0); v <= 2; v++ {
			for _, dry := range []bool{false, true} {
				if dry && v == 0 {
					continue
				}
				p.ask("update features: "+name, v, func(s *side) kmsg.Request {
					req := kmsg.NewPtrUpdateFeaturesRequest()
					req.ValidateOnly, req.TimeoutMillis = dry, 50_000
					for _, u := range updates {
						f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
						f.Feature, f.MaxVersionLevel, f.UpgradeType, f.AllowDowngrade = u.name, u.level, u.kind, u.kind > 1
						if u.relative {
							own, now, _ := metadata(s)
							f.Feature, f.MaxVersionLevel = own, now+u.level
						}
						req.FeatureUpdates = append(req.FeatureUpdates, f)
					}
					return req
				})
			}
		}
	}
}
