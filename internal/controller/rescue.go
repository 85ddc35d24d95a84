package controller

import "github.com/brokerd/brokerd/internal/meta"

// rescuing gives leaderless partitions a leader that may lack acknowledged records
// (E3), where this node's file says unclean.leader.election.enable=true. What the
// topic or the dynamic default of all brokers says comes before the file: of those
// the image knows, and elects by itself.
type rescuing struct {
	on   bool
	seen uint64 // index of the last image that gave nothing to propose
}

const uncleanKey = "unclean.leader.election.enable"

// plan proposes what an image can give, about planLimit at a time.
func (r *rescuing) plan(im *meta.Image) (cmds []meta.Command) {
	if !r.on || im.Index() == r.seen {
		return nil
	}
	if cmds = elections(im); len(cmds) == 0 {
		r.seen = im.Index()
	}
	return cmds
}

// elections is those of leaderless partitions that the file speaks for, and that
// somebody would win.
func elections(im *meta.Image) (cmds []meta.Command) {
	if _, said := im.Config(meta.Resource{Type: meta.BrokerResource})[uncleanKey]; said {
		return nil
	}
	var asked []meta.Command
	for t := range im.Topics() {
		for i := range t.Partitions() {
			if p, _ := t.Partition(i); p.Leader >= 0 {
				continue
			}
			if _, said := im.Config(meta.Resource{Type: meta.TopicResource, Name: t.Name})[uncleanKey]; said {
				break
			}
			asked = append(asked, meta.ElectLeader{Topic: t.ID, Partition: i, Unclean: true})
			if len(asked) < planLimit {
				continue
			}
			cmds, asked = append(cmds, possible(im, asked)...), asked[:0]
			if len(cmds) >= planLimit {
				return cmds
			}
		}
	}
	return append(cmds, possible(im, asked)...)
}
