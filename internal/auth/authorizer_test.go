package auth

import "testing"

// TestAllowAll pins A2: without an authorizer nobody hears no, not even for
// what only brokers may do.
func TestAllowAll(t *testing.T) {
	var a Authorizer = AllowAll{}
	if a.Enabled() {
		t.Error("AllowAll says that there are rules")
	}
	q := Question{Principal: Principal{"User", "ANONYMOUS"}, Operation: ClusterAction, Resource: TheCluster}
	if !a.Allows(nil, q) {
		t.Errorf("%v may not %v %v", q.Principal, q.Operation, q.Resource)
	}
}
