//go:build !level1

package meta

const MaxLevel int16 = 3
