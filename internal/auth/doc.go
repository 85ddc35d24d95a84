// Package auth decides who may do what.
//
//	principal × host × operation × resource ──► Authorizer ──► yes or no
//
// Every handler of the API layer asks before it touches a resource, and passes
// the image that it works on, so that one request sees one set of rules.
//
// Invariants
//
//	A1  an Authorizer never waits, and has no state outside the image.
//	A2  as long as no authorizer is configured, everybody may do everything
//	    (docs/protocol.md), and nobody is told otherwise.
//
// Goroutines and locks: none.
// Tests: authorizer_test.go.
package auth
