package sim

// The safety rules that can be switched off, to prove that the simulator would
// notice (replication rules, 2.9). Those marked "core" are switches of packages
// isr and meta and need the build tag mutate; the others are of this shell.
const (
	RuleEpochTruncation = "truncate by epoch"              // row 7
	RuleFetchEpoch      = "fetch epoch fencing"            // row 8, core too
	RuleEpochStart      = "epoch start for joining"        // row 9, core
	RuleBrokerEpoch     = "broker epoch in AlterPartition" // row 10, core
	RuleFrozen          = "frozen below min ISR"           // row 11, core
	RuleOwnRegistration = "own registration first"         // row 13
	RuleOwnReply        = "reply matched to its question"  // row 14, core
	RuleFSMOnly         = "only the log ends a proposal"   // row 15, core
	RuleGroupCommit     = "fetch after the group commit"   // core
	RuleOwnEnd          = "own end of the epoch"           // core: KIP-279, not of 2.9
	RuleAskAgain        = "ask again"                      // of liveness, not of 2.9: J-20
)

// Rules is all of them.
var Rules = []string{
	RuleEpochTruncation, RuleFetchEpoch, RuleEpochStart, RuleBrokerEpoch, RuleFrozen,
	RuleOwnRegistration, RuleOwnReply, RuleFSMOnly, RuleGroupCommit, RuleOwnEnd, RuleAskAgain,
}

func (c *Core) mutated(rule string) bool { return c.plan.Rule == rule }
