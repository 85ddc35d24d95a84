// Package controller is under construction.
package controller
