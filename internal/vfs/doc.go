// Package vfs is under construction.
package vfs
