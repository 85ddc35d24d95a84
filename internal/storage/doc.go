// Package storage keeps the logs of one broker on disk.
package storage
