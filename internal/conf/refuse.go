package conf

import (
	"fmt"
	"net"
	"strings"
)

// The functions here say why a value of a Refused key cannot be ignored, and
// return "" for values that mean the same as not setting the key.

const (
	noTiering               = "there is no tiered storage here: data that Kafka would move away would stay, and retention would delete it"
	defaultPrincipalBuilder = "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"
	maxDecompressed         = 2147483639 // the longest Java array, Kafka's limit for a decompressed batch
)

func refuseTrue(why string) func(string) string {
	return func(v string) string {
		if strings.EqualFold(trim(v), "true") {
			return why
		}
		return ""
	}
}

// refuseSet refuses any value but an empty one.
func refuseSet(why string) func(string) string {
	return func(v string) string {
		if trim(v) == "" {
			return ""
		}
		return why
	}
}

// refuseClass refuses a class other than the one whose behaviour is built in.
func refuseClass(builtIn string) func(string) string {
	return func(v string) string {
		if v = trim(v); v == "" || v == builtIn {
			return ""
		}
		return fmt.Sprintf("class %s cannot be loaded here, so what it decides would not be enforced", v)
	}
}

func refuseAuthorizer(v string) string {
	if trim(v) == "" {
		return ""
	}
	return "this version enforces no ACLs yet: everyone could do everything"
}

func refuseSuperUsers(v string) string {
	if trim(v) == "" {
		return ""
	}
	return "super.users switches authorization on, and this version enforces no ACLs yet: everyone could do everything"
}

func refuseTrash(v string) string {
	if trim(v) == "0" {
		return ""
	}
	return "this version deletes topics at once: they could not be brought back"
}

func refuseFacade(v string) string {
	if trim(v) == "0" {
		return ""
	}
	return "this version has no stand-in for ZooKeeper"
}

// clusterID is usually a Kafka UUID, but Kafka takes any word and so do we.
var clusterID = check{"a word of at most 255 characters", func(key string, v value) error {
	if v.str != "" && len(v.str) <= 255 && !strings.ContainsFunc(v.str, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil
	}
	return invalid(key, v, "a cluster id is one word, as brokerd storage random-uuid prints it")
}}

var httpAddress = check{"host:port or off", func(key string, v value) error {
	if v.str == "off" || v.str == "" {
		return nil
	}
	if _, port, err := net.SplitHostPort(v.str); err == nil {
		if n, err := parseInteger(port, 32); err == nil && n >= 0 && n <= 65535 {
			return nil
		}
	}
	return invalid(key, v, "expected host:port, :port or off")
}}
