//go:build race

package cli

// racing says that the race detector slows everything down.
const racing = true
