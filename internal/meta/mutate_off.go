//go:build !mutate

package meta

// without says whether a safety rule is switched off: never, in what we ship.
func without(string) bool { return false }
