// Package wire is under construction.
package wire
