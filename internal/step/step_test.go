package step

import "testing"

func TestTopicIDRoundTrip(t *testing.T) {
	id := TopicID{0xea, 0x0a, 1, 2, 3, 15: 0xff}
	got, err := ParseTopicID(id.String())
	if err != nil || got != id {
		t.Fatalf("ParseTopicID(%q) = %v, %v", id.String(), got, err)
	}
	if len(id.String()) != 22 {
		t.Fatalf("%q has %d characters, Kafka's ids have 22", id.String(), len(id.String()))
	}
	for _, bad := range []string{"", "abc", "!!!!!!!!!!!!!!!!!!!!!!", id.String() + "A"} {
		if _, err := ParseTopicID(bad); err == nil {
			t.Errorf("ParseTopicID(%q) accepted it", bad)
		}
	}
}
