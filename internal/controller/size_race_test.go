//go:build race

package controller

// snapshotBytes is smaller here: the detector looks at each byte of each copy.
const snapshotBytes = 4 << 20
