package server

import "maps"

// Stats is what the server has counted. Connections count for themselves and
// are summed here, when somebody asks.
type Stats struct {
	Connections  map[string]int   // open now, by listener
	Accepted     map[string]int64 // since the start, by listener
	Closed       map[string]int64 // by reason; refused ones too
	Software     map[Software]int // connections open now, by what the client says it is
	Requests     int64
	BytesIn      int64
	BytesOut     int64
	Pending      int64 // requests taken up and not answered
	Panics       int64 // recovered in a request
	MemoryInUse  int64 // of the request budget
	MemoryLimit  int64
	MemoryQueued int64 // connections that wait for it
}

// totals is the part of Stats that connections leave behind. Guarded by Server.mu.
type totals struct {
	requests, bytesIn, bytesOut, panics int64
	reasons                             map[string]int64
	accepted                            map[string]int64
}

// Software is what a client says it is, in ApiVersions 3 and later.
type Software struct{ Name, Version string }

// maxSoftware bounds how many are told apart: clients choose the words.
const maxSoftware = 100

// AnySoftware stands for those beyond.
var AnySoftware = Software{"other", "other"}

func (st *Stats) counts(is Software) {
	if is.Name == "" {
		return
	}
	if _, known := st.Software[is]; !known && len(st.Software) >= maxSoftware {
		is = AnySoftware
	}
	st.Software[is]++
}

func (t *totals) add(c *conn) {
	t.requests += c.requests.Load()
	t.bytesIn += c.bytesIn.Load()
	t.bytesOut += c.bytesOut.Load()
}

func (t *totals) closed(reason string) {
	if t.reasons == nil {
		t.reasons = map[string]int64{}
	}
	if _, known := t.reasons[reason]; !known && len(t.reasons) >= maxReasons {
		reason = otherReason
	}
	t.reasons[reason]++
}

// Stats sums up.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	sum := s.totals
	st := Stats{
		Connections: map[string]int{},
		Accepted:    map[string]int64{},
		Closed:      maps.Clone(sum.reasons),
		Software:    map[Software]int{},
		Panics:      sum.panics,
		MemoryInUse: s.memory.used.Load(),
		MemoryLimit: s.memory.limit,
	}
	for _, l := range s.listeners {
		st.Connections[l.Name], st.Accepted[l.Name] = 0, sum.accepted[l.Name]
	}
	conns := s.listLocked()
	for _, c := range conns {
		sum.add(c)
		st.Connections[c.client.Listener]++
	}
	s.mu.Unlock()
	st.Requests, st.BytesIn, st.BytesOut = sum.requests, sum.bytesIn, sum.bytesOut
	st.MemoryQueued = int64(s.memory.waiting.Load())
	for _, c := range conns {
		c.mu.Lock()
		st.Pending += int64(c.pending)
		is := c.software
		c.mu.Unlock()
		st.counts(is)
	}
	return st
}
