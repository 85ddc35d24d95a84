package api

import (
	"testing"

	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func apiVersions(version int16, software string) *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = version, software, "1.0"
	return req
}

func ranges(resp *kmsg.ApiVersionsResponse) map[int16][2]int16 {
	m := make(map[int16][2]int16)
	for _, k := range resp.ApiKeys {
		m[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
	}
	return m
}

func TestApiVersions(t *testing.T) {
	n := startNode(t)
	versionsOf(n, apiVersionsKey, func(version int16) {
		c := connection("PLAINTEXT")
		resp := askOn[*kmsg.ApiVersionsResponse](n, c, apiVersions(version, "apache-kafka-java"))
		got := ranges(resp)
		if resp.ErrorCode != 0 || got[3] != [2]int16{0, 13} || got[apiVersionsKey] != [2]int16{0, 5} {
			t.Errorf("v%d: code %d, %v", version, resp.ErrorCode, got)
		}
		if _, seen := got[10000]; seen {
			t.Errorf("v%d: a stranger sees our own keys", version)
		}
		if version >= 3 && (c.Software != "apache-kafka-java" || c.SoftwareVersion != "1.0" ||
			len(resp.FinalizedFeatures) != 1 || resp.FinalizedFeatures[0].Name != metadataFeature) {
			t.Errorf("v%d: %+v, features %v", version, c, resp.FinalizedFeatures)
		}
	})
	own := ranges(ask[*kmsg.ApiVersionsResponse](n, apiVersions(3, ownSoftware)))
	if _, seen := own[10000]; !seen {
		t.Error("our own client does not see our keys")
	}
}

// TestApiVersionsTooNew: answered in version 0 with what we have of 18 (KIP-511).
func TestApiVersionsTooNew(t *testing.T) {
	n := startNode(t)
	trait := n.Trait(apiVersionsKey, 9)
	if !trait.Known || !trait.Flexible {
		t.Fatalf("a too new version would not be read: %+v", trait)
	}
	a := n.serve(&wire.Call{Key: apiVersionsKey, Version: 9, Correlation: 77, Body: []byte("whatever"), Client: connection("PLAINTEXT")})
	resp := kmsg.NewPtrApiVersionsResponse()
	n.decode(a, 0, resp)
	if got := ranges(resp); resp.ErrorCode != kerr.UnsupportedVersion.Code || len(got) != 1 || got[apiVersionsKey] != [2]int16{0, 5} {
		t.Errorf("code %d, %v", resp.ErrorCode, got)
	}
}

func TestApiVersionsRefusals(t *testing.T) {
	n := startNode(t)
	for _, name := range []string{"", "-x", "x-", "a b", "a\nb", ".", "é"} {
		if resp := ask[*kmsg.ApiVersionsResponse](n, apiVersions(3, name)); resp.ErrorCode != kerr.InvalidRequest.Code || len(resp.ApiKeys) != 0 {
			t.Errorf("software %q: code %d", name, resp.ErrorCode)
		}
	}
	tests := []struct {
		name    string
		cluster *string
		node    int32
		want    int16
	}{
		{"bootstrapping", nil, -1, 0},
		{"the right broker", ptr("the-cluster"), 1, 0},
		{"another broker", ptr("the-cluster"), 2, kerr.RebootstrapRequired.Code},
		{"another cluster", ptr("elsewhere"), 1, kerr.RebootstrapRequired.Code},
		{"half of it", ptr("the-cluster"), -1, kerr.InvalidRequest.Code},
		{"the other half", nil, 1, kerr.InvalidRequest.Code},
	}
	for _, test := range tests {
		req := apiVersions(5, "x")
		req.ClusterID, req.NodeID = test.cluster, test.node
		if resp := ask[*kmsg.ApiVersionsResponse](n, req); resp.ErrorCode != test.want {
			t.Errorf("%s: code %d, want %d", test.name, resp.ErrorCode, test.want)
		}
	}
}

// TestClientsFloor holds the table to what real clients were seen to send,
// groups and transactions aside.
func TestClientsFloor(t *testing.T) {
	n := startNode(t)
	seen := map[int16][]int16{
		0: {0, 1, 2, 7, 8, 9, 11, 13}, 1: {0, 1, 2, 3, 4, 10, 11, 12, 17, 18}, 2: {1, 2, 3, 6, 9, 10}, 3: {0, 1, 4, 5, 6, 8, 11, 12, 13},
		18: {0, 2, 3, 5}, 19: {3}, 20: {3}, 22: {1, 4, 5}, 32: {2, 4}, 60: {0},
	}
	for key, versions := range seen {
		for _, v := range versions {
			if !n.Trait(key, v).Known {
				t.Errorf("%s v%d is not served", keyName(key), v)
			}
		}
	}
}
