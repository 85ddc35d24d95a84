package api

import (
	"errors"
	"maps"
	mathrand "math/rand/v2"
	"strconv"

	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
)

// offsetsConfig adds what the offsets topic is made with to what the request says.
func (v view) offsetsConfig(set map[string]string) {
	ours := map[string]string{
		"cleanup.policy":   "compact",
		"compression.type": v.d.Conf.Groups.Codec,
		"segment.bytes":    strconv.FormatInt(v.d.Conf.Groups.SegmentBytes, 10),
		"durability":       "fsync", // a commit that was acknowledged is never lost
	}
	for k, value := range set {
		ours[k] = value
	}
	maps.Copy(set, ours)
}

// offsetsAssignments places the offsets topic: on as many brokers as were asked
// for, else on three, or on all that are registered, fenced ones too.
func (v view) offsetsAssignments(n int32) ([][]int32, error) {
	if n == -1 {
		n = v.d.Conf.Groups.Partitions
	}
	rf := v.d.Conf.Groups.ReplicationFactor
	if rf == 0 {
		rf = int16(min(controller.InternalReplicas, v.im.BrokerCount()))
	}
	a, err := controller.PlaceReplicas(v.im, controller.Placement{Partitions: n, ReplicationFactor: rf, Start: mathrand.Int(), Fenced: true})
	if errors.Is(err, meta.ErrReplicationFactor) {
		return nil, v.tooFewBrokers(rf)
	}
	return a, err
}
