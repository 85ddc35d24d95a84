// Package catalog is under construction.
package catalog
