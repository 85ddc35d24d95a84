//go:build mutate

package meta

// Without names the safety rule that is switched off, for the simulator to prove
// that it would notice. It exists in builds for that proof only.
var Without string

func without(rule string) bool { return rule == Without }
