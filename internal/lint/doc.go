// Package lint checks the house rules that the compiler does not know.
//
// layers.txt says which of our packages, and which of franz-go's, each package
// may import, and which are cores. The tests read it, parse every Go file of the
// module outside test/, and fail on an import that the table does not allow, on
// a package without doc.go, and, in a core, on anything that knows time,
// goroutines, files, sockets or map order (core_test.go).
//
// Goroutines and locks: none. Tests: this package is one; planted_test.go plants
// each thing that is forbidden and looks whether it is found.
package lint
