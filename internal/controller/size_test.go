//go:build !race

package controller

// snapshotBytes is what TestSnapshotInstall moves.
const snapshotBytes = 50 << 20
