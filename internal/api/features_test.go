package api

import (
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/meta"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestWantedLevel(t *testing.T) {
	tests := []struct {
		name    string
		feature string
		to      int16
		kind    int8
		now     int16
		want    int16
		says    string
	}{
		{"up", metadataFeature, 2, upgrade, 1, 2, ""},
		{"as it is", metadataFeature, 2, upgrade, 2, 2, ""},
		{"as it is, down", metadataFeature, 2, safeDowngrade, 2, 2, ""},
		{"up, called down", metadataFeature, 2, safeDowngrade, 1, 1, "Can't downgrade to a newer version."},
		{"down, called up", metadataFeature, 1, upgrade, 2, 2, "without setting the upgrade type"},
		{"down", metadataFeature, 1, safeDowngrade, 2, 2, "It never falls"},
		{"down by force", metadataFeature, 1, unsafeDowngrade, 2, 2, "It never falls"},
		{"of the future", metadataFeature, meta.MaxLevel + 1, upgrade, 1, 1, "Local controller 7 only supports versions 1-3"},
		{"none", metadataFeature, 0, safeDowngrade, 1, 1, "only supports versions 1-3"},
		{"Kafka's", "metadata.version", 30, upgrade, 1, 1, "Local controller 7 does not support this feature."},
		{"no type", metadataFeature, 2, 0, 1, 1, "does not support the given upgrade type"},
	}
	for _, test := range tests {
		req := kmsg.NewPtrUpdateFeaturesRequest()
		req.Version = 1
		req.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: test.feature, MaxVersionLevel: test.to, UpgradeType: test.kind}}
		level, err := wantedLevel(req, test.now, 7)
		if level != test.want || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %d, %v", test.name, level, err)
		}
	}
}
