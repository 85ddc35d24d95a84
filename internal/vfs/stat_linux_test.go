package vfs_test

import (
	"syscall"
	"testing"
)

func blocks(t *testing.T, name string) int64 {
	var st syscall.Stat_t
	if err := syscall.Stat(name, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks
}
