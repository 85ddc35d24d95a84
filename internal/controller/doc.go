// Package controller is this node's member of the metadata quorum: raft and its
// streams, the proposer, the duties of the active controller, and this broker's
// own registration and heartbeats.
//
//	Submit ─► queue ─► proposer ─► Consensus (raft) ─► catalog.FSM ─► catalog.Store
//	             4 MiB   1 entry at a time, ≤ 256 KiB       │
//	done ◄───────────────── results per command ◄───────────┘
//
//	Terms ─► duties: Barrier, name the cluster, Plan(image, liveness, now) ─► Submit
//	runLife: Register ─► AcceptRegistration ─► heartbeats ─► AcceptHeartbeat   (here, or over Remote)
//	OpenRaftStream ─► CheckStream, Stream ─► streamLayer ─► raft's transport
//
// How a broker starts it:
//
//	stores, err := controller.OpenBolt(metadataDir, log)       // or OpenFS on a vfs.FS
//	o := controller.Options{Node: …, Directory: …, ClusterID: …, Address: …,
//		Catalog: catalog.NewStore(), Network: …, Stores: stores}
//	err = o.BootstrapSelf()                  // a lone node: sole voter, unless it has state
//	err = o.BootstrapGroup(voters)           // the one node that founds a group
//	c, err := controller.Open(o)             // raft runs; o.Stores are c's
//	go c.Run(ctx)                            // until ctx ends
//	… storage recovers the logs …
//	c.Register(meta.RegisterBroker{Dirs, Endpoints, Rack, Voter, BootID, CleanEpoch, Intact …})
//	epoch, err := c.WaitRegistered(ctx)      // from now on the image may be acted on (D5)
//	epoch, err = c.WaitActive(ctx)           // leaders are elected: ready
//	…
//	err = c.Leave(ctx)                       // controlled shutdown; then write the clean marker with epoch
//	cancel(); c.Close()
//
// The several voters of a first creation are BootstrapGroup on the one node that
// may (lowest id, when all have answered); the others start without state, and
// so does every later member: it says that it is there (AcceptMember).
//
// Invariants
//
//	C1  a command is proposed only by the active controller: it leads, and has
//	    applied all that was committed before its term (Barrier).
//	C2  done of a Submit is called once. ErrNotLeader and ErrBusy mean that
//	    nothing was appended; ErrUnknownOutcome and a passed deadline that
//	    nobody knows.
//	C3  a raft stream is spoken only by the two servers that both ends named; a
//	    server is a node with one disk (node.id@directory.id). Both are of one
//	    quorum: after a recovery (remains.go) the old voters are strangers.
//	C4  every connection that raft was handed is closed by Close.
//	C5  sessions are soft state of one leadership: only Fenced and Active enter
//	    the log. A broker is unfenced only after it has applied its registration.
//	    The broker in the active controller's own process is never taken for silent.
//	    Refused twice within 300 ms where it listened, it is dead; silent, after
//	    its session. The same makes a voter whose raft leader's stream has ended
//	    stand for election at once, each in its turn (heir.go).
//	    What heartbeats say of full directories is noted when it changes; a controller
//	    whose own metadata directory is full gives its place away (full.go).
//	C6  the epoch of this broker is acted on only when its own image shows it.
//	C7  the queue holds 4 MiB at most, one entry is 256 KiB unless a single
//	    command is larger, one proposal is under way at a time.
//
// Goroutines of Run, all ended by its ctx: proposer, duties, life, probes (and
// one for each broker that is being looked at), heirs, members (one
// change of the group at a time), nudge (the empty Barrier that tells followers
// of a quiet commit), snapshots. Of Open,
// ended by Close: raft's own, and the reader of its leadership notices.
//
// Locks: Controller.mu (leadership, liveness, life), proposer.mu (queue),
// appliedWait.mu, streamLayer.mu. Each is held to touch memory only, and no two
// at once. A channel, streamLayer.joining, spans the one write with which a server
// without state takes over the name of its group.
//
// Tests: single_test.go (bolt, restarts), plan_test.go and placement_test.go
// (tables), proposer_test.go (a scripted Consensus), quorum_test.go (three nodes
// over sim.Net in a bubble), crash_test.go (kill at any point), damage_test.go
// (snapshots, levels of the future), remains_test.go (a quorum made anew),
// bench_test.go.
package controller
