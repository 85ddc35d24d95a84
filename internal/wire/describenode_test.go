package wire

import "testing"

// FuzzDescribeNode: any bytes are a message or an error, and a message that was
// read is read again from what is written of it.
func FuzzDescribeNode(f *testing.F) {
	f.Add((&DescribeNodeRequest{}).AppendTo(nil))
	f.Add((&DescribeNodeResponse{
		Node: 2, Directory: [16]byte{1}, Incarnation: [16]byte{2}, ClusterID: "c", Controllers: "1@a:1,2@b:2",
		Open: true, HasState: true, Leader: -1, LeaderAddress: "a:1", Recovery: [16]byte{3},
	}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var req DescribeNodeRequest
		_ = req.ReadFrom(b) // has nothing to be read again
		var resp, again DescribeNodeResponse
		if resp.ReadFrom(b) == nil {
			if err := again.ReadFrom(resp.AppendTo(nil)); err != nil || again != resp {
				t.Fatalf("%+v %v", again, err)
			}
		}
	})
}
