// Package conf is under construction.
package conf
