package api

import (
	"testing"

	"github.com/brokerd/brokerd/internal/auth"
	"github.com/brokerd/brokerd/internal/coord"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestSpread: a key's place is Java's String.hashCode without its sign; the
// numbers are Java's.
func TestSpread(t *testing.T) {
	for _, c := range []struct {
		key  string
		hash int32
		of50 int32
	}{
		{"", 0, 0},
		{"abc", 96354, 4},
		{"polygenelubricants", -1 << 31, 0}, // whose absolute value counts as 0
		{"workers", 1525161141, 41},
		{"grüße", 98768023, 23},
		{"\U0001F680", 1773027, 27}, // two units in Java
		{"group-1", 293427299, 49},
	} {
		if got := javaHash(c.key); got != c.hash || spread(c.key, 50) != c.of50 {
			t.Errorf("%q: hash %d on %d, want %d on %d", c.key, got, spread(c.key, 50), c.hash, c.of50)
		}
	}
}

// TestListedSaysThatThereIsMore: one coordinator that still loads is told, whatever
// the others say.
func TestListedSaysThatThereIsMore(t *testing.T) {
	known := kmsg.NewPtrListGroupsResponse()
	known.Groups = []kmsg.ListGroupsResponseGroup{{Group: "b"}, {Group: "a"}}
	loading, other := heard{err: coord.ErrLoading}, heard{err: coord.ErrNotCoordinator}
	for _, c := range []struct {
		all  []heard
		code int16
	}{
		{[]heard{{body: known}, other}, 0},
		{[]heard{loading, {body: known}, other}, kerr.CoordinatorLoadInProgress.Code},
		{[]heard{other, {body: known}, loading}, kerr.CoordinatorLoadInProgress.Code},
	} {
		got := view{d: Deps{Auth: auth.AllowAll{}}}.listed(c.all).(*kmsg.ListGroupsResponse)
		if got.ErrorCode != c.code || len(got.Groups) != 2 || got.Groups[0].Group != "a" {
			t.Errorf("%v: %+v, want error %d", c.all, got, c.code)
		}
	}
}
