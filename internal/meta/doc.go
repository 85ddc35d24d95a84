// Package meta is under construction.
package meta
