//go:build !linux

package wire

// setCongestion: only Linux lets a socket choose.
func setCongestion(uintptr, string) error { return nil }
