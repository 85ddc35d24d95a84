package conf

import (
	"fmt"
	"strings"
)

// clusterLevel are the listener keys that may be set for all brokers at once.
var clusterLevel = map[string]bool{"max.connections": true, "max.connection.creation.rate": true, "num.network.threads": true}

// CheckBrokerDynamic does the same as CheckTopic for a dynamic broker setting;
// cluster is true for the cluster-wide default.
func CheckBrokerDynamic(name, value string, cluster bool) error {
	k, ok := brokerKeyOf(name)
	if !ok {
		text := "Unknown broker config name: " + name
		if s := suggest(name, BrokerKeys()); s != "" {
			text += " (did you mean " + s + "?)"
		}
		return fmt.Errorf("%s", text)
	}
	ofListener := k.Name != name
	switch {
	case k.Scope == ReadOnly:
		return fmt.Errorf("Cannot update these configs dynamically: [%s]", name)
	case !ofListener && strings.HasPrefix(k.Name, "ssl."):
		return fmt.Errorf("These security configs can be dynamically updated only per-listener using the listener prefix: [%s]", name)
	case cluster && (k.Scope == PerBroker || ofListener && !clusterLevel[k.Name]):
		return fmt.Errorf("Cannot update these configs at default cluster level, broker id must be specified: [%s]", name)
	}
	if reference.MatchString(value) {
		return fmt.Errorf("%s: references to the environment or to files are allowed only in the broker's own files", name)
	}
	return k.take(name, value)
}
