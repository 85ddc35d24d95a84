// Package measure prints what a running broker costs: the time from exec to
// the first acknowledged record, memory and CPU when idle, and which system
// call the bytes of a fetch leave by. It asserts nothing about time.
//
// Run by `make measure`. TestSendfile needs strace.
package measure
