package wire

import (
	"reflect"
	"testing"
)

// FuzzReportFault: any bytes are a message or an error, and a message that was
// read is read again from what is written of it.
func FuzzReportFault(f *testing.F) {
	f.Add((&ReportFaultRequest{Broker: 2, BrokerEpoch: 9, Corrupt: true, Topics: []ReportFaultRequestTopic{
		{TopicID: [16]byte{1}, Partitions: []int32{0, 7}}, {TopicID: [16]byte{2}},
	}}).AppendTo(nil))
	f.Add((&ReportFaultResponse{ErrorCode: 41}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var req, again ReportFaultRequest
		if req.ReadFrom(b) == nil {
			if err := again.ReadFrom(req.AppendTo(nil)); err != nil || !reflect.DeepEqual(again, req) {
				t.Fatalf("%+v %v", again, err)
			}
		}
		var resp, more ReportFaultResponse
		if resp.ReadFrom(b) == nil {
			if err := more.ReadFrom(resp.AppendTo(nil)); err != nil || more != resp {
				t.Fatalf("%+v %v", more, err)
			}
		}
	})
}
