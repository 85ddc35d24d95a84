// Package lint checks the house rules that the compiler does not know.
//
// layers.txt says which of our packages each package may import, which are
// cores, and who may be imported by tests only. The tests read it, parse every
// Go file of the module, and fail on an import that the table does not allow,
// on a package without doc.go, and, in a core, on anything that knows time,
// goroutines, files, sockets or map order.
//
// Goroutines and locks: none. Tests: this package is one.
package lint
