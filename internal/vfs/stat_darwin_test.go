package vfs_test

import "testing"

func blocks(*testing.T, string) int64 { return 0 }
