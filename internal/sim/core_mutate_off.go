//go:build !mutate

package sim

// switchOff would switch a rule of the cores off: only builds with the tag
// mutate can.
func switchOff(string) {}

const canMutate = false
