// Package coord runs a coordinator's machine on an internal partition: it loads
// what the log holds, steps, appends, replays, and releases answers when what
// they rest on is committed.
//
//	caller ─► Runtime ─► shard.mu ─► Machine.Step ─► Log.Append ─► Machine.Replay
//	                                      │                             │
//	          answers, parked by the end of the scope's last batch ◄────┘
//	          released by Log.Release when the high watermark passes it
//
// One Machine per led partition. The step and its append run on the caller's
// goroutine; nobody else's machine waits.
package coord
