package sim

// Coverage counts what should happen sometimes: a simulator that never gets
// there proves nothing about it.
type Coverage [coverPoints]int64

type coverPoint int

const (
	covAcked coverPoint = iota
	covElected
	covFromELR
	covUnclean
	covDiverged
	covCutTail
	covFrozen
	covRefusedMin
	covTimedOut
	covZombie
	covStaleFetch
	covStaleReply
	covShrunk
	covExpanded
	covIneligible
	covReplayed
	covLostTail
	covDiskError
	covCleanStart
	covReassigned
	covLeaderless
	covLostAnswer
	covNotYet
	covFullDisk
	covLeftFull
	coverPoints
)

var coverNames = [coverPoints]string{
	"acknowledged", "elected", "elected from the ELR", "elected uncleanly", "diverging truncation", "records truncated",
	"frozen watermark", "refused below min ISR", "produce timed out", "zombie leader wrote",
	"fetch of another epoch fenced", "stale reply dropped", "ISR shrank", "ISR grew", "ineligible member refused",
	"old metadata replayed", "tail lost at a power cut", "fsync error", "clean restart", "reassignment completed",
	"leaderless for good", "controller's answer lost", "offset not available yet", "full disk", "lead left a full disk",
}

// Each visits every point.
func (c *Coverage) Each(f func(name string, n int64)) {
	for i, n := range c {
		f(coverNames[i], n)
	}
}

func (c *Coverage) Add(o *Coverage) {
	for i, n := range o {
		c[i] += n
	}
}
