package api

import (
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/controller"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/wire"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// featuresAPI answers UpdateFeatures (57). There is one feature, the metadata
// level, and it only rises.
type featuresAPI struct{ d Deps }

// What an update is meant to be.
const (
	upgrade int8 = 1 + iota
	safeDowngrade
	unsafeDowngrade
)

func (a featuresAPI) update(c *wire.Call) wire.Outcome {
	req := kmsg.NewPtrUpdateFeaturesRequest()
	if !read(c, req) {
		return malformed()
	}
	v := look(a.d, c)
	direct := a.d.Conf.IsController(c.Client.Listener)
	build := func(com controller.Committed) kmsg.Response {
		return updateFeaturesResponse(req, verdict{direct: direct}.failed(com.Err))
	}
	level, err := int16(0), error(kerr.ClusterAuthorizationFailed)
	if v.may(auth.Alter, auth.TheCluster) {
		level, err = wantedLevel(req, v.im.Features().Metadata, a.d.Conf.NodeID)
	}
	if err != nil || level == v.im.Features().Metadata {
		return wire.Respond(c, build(controller.Committed{Err: err}))
	}
	return peerAnswer(c, func(deadline time.Time, done func(controller.Committed)) {
		a.d.Controller.RaiseLevel(level, req.ValidateOnly, deadline, done)
	}, build)
}

// wantedLevel is the metadata level that a request asks for, or why it cannot be.
func wantedLevel(req *kmsg.UpdateFeaturesRequest, now int16, node int32) (level int16, err error) {
	level = now
	for _, u := range req.FeatureUpdates {
		if req.Version == 0 {
			u.UpgradeType = upgrade
			if u.AllowDowngrade {
				u.UpgradeType = safeDowngrade
			}
		}
		to := u.MaxVersionLevel
		why := ""
		switch {
		case u.UpgradeType < upgrade || u.UpgradeType > unsafeDowngrade:
			why = "The controller does not support the given upgrade type."
		case to < 0:
			why = "A feature version cannot be less than 0."
		case u.Feature != metadataFeature && to == 0:
			why = fmt.Sprintf("Feature %s not found.", u.Feature)
		case u.Feature != metadataFeature:
			why = fmt.Sprintf("Local controller %d does not support this feature.", node)
		case to < meta.MinLevel || to > meta.MaxLevel:
			why = fmt.Sprintf("Local controller %d only supports versions %d-%d", node, meta.MinLevel, meta.MaxLevel)
		case to < now && u.UpgradeType == upgrade:
			why = "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."
		case to < now:
			why = "It never falls: what is written since can not be read by what wrote before."
		case to > now && u.UpgradeType != upgrade:
			why = "Can't downgrade to a newer version."
		}
		if why != "" {
			return now, faultf(kerr.InvalidUpdateVersion, "Invalid update version %d for feature %s. %s", to, u.Feature, why)
		}
		level = to
	}
	return level, nil
}

// updateFeaturesResponse tells of all updates or none: where one cannot be, none
// is carried out.
func updateFeaturesResponse(req *kmsg.UpdateFeaturesRequest, err error) *kmsg.UpdateFeaturesResponse {
	resp := kmsg.NewPtrUpdateFeaturesResponse()
	resp.ErrorCode, resp.ErrorMessage = codeText(err)
	if resp.ErrorCode == kerr.InvalidUpdateVersion.Code {
		text := "The update failed for all features since the following feature had an error: " + *resp.ErrorMessage
		resp.ErrorMessage = &text
	}
	if req.Version > 1 || err != nil {
		return resp
	}
	for _, u := range req.FeatureUpdates {
		r, none := kmsg.NewUpdateFeaturesResponseResult(), "NONE" // what Kafka says of no error
		r.Feature, r.ErrorMessage = u.Feature, &none
		resp.Results = append(resp.Results, r)
	}
	return resp
}
