package api

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// maxTopicName is Kafka's limit: the name and a partition number have to fit
// into a file name.
const maxTopicName = 249

// Kafka's own topics. Clients cannot delete or alter them, and reading them is
// Kafka's business alone.
const clusterMetadataTopic = "__cluster_metadata"

func internalTopic(name string) bool {
	switch name {
	case "__consumer_offsets", "__transaction_state", "__share_group_state", clusterMetadataTopic:
		return true
	}
	return false
}

// checkTopicName refuses a name that Kafka refuses, in Kafka's words.
func checkTopicName(name string) error {
	if why := topicNameFault(name); why != "" {
		return faultf(kerr.InvalidTopicException, "Topic name is invalid: %s", why)
	}
	return nil
}

func topicNameFault(name string) string {
	switch {
	case name == "":
		return "the empty string is not allowed"
	case name == "." || name == "..":
		return "'" + name + "' is not allowed"
	case len(name) > maxTopicName:
		return "the length of '" + printable(name) + "' is longer than the max allowed length 249"
	}
	for _, b := range []byte(name) {
		if !alphanumeric(b) && b != '.' && b != '_' && b != '-' {
			return "'" + printable(name) + "' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
		}
	}
	return ""
}

// printable cuts and escapes a name that is no name, so that an answer or a log
// line never carries what a hostile client put into it.
func printable(s string) string {
	const most = 300
	cut := s
	if len(cut) > most {
		cut = cut[:most]
	}
	cut = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(cut, "?"))
	if len(s) > most {
		cut += "…"
	}
	return cut
}

// collisionKey is what two topics must not share: in metric names a period
// becomes an underscore, so a.b and a_b would be counted as one.
func collisionKey(name string) string { return strings.ReplaceAll(name, ".", "_") }
