//go:build !linux

package broker

// Trim does nothing here.
func Trim() {}
