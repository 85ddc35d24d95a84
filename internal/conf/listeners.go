package conf

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	kafkaPort      = 9092
	controllerPort = 9093
)

var securityProtocols = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

// listenerPattern is Kafka's own: NAME://host:port, the host in brackets when it
// is an IPv6 address, nothing for all interfaces.
var listenerPattern = regexp.MustCompile(`^([^:/]*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$`)

func parseListener(s string) (Listener, error) {
	m := listenerPattern.FindStringSubmatch(s)
	if m == nil || m[1] == "" {
		return Listener{}, fmt.Errorf("unable to parse %q as a listener, expected NAME://host:port", s)
	}
	port, err := strconv.Atoi(m[3])
	if err != nil || port < 0 || port > 65535 {
		return Listener{}, fmt.Errorf("port %s of %q is not between 0 and 65535", m[3], s)
	}
	return Listener{Name: strings.ToUpper(m[1]), Host: m[2], Port: port}, nil
}

func splitHostPort(s string) (string, int, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("%q is not host:port", s)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 0 || n > 65535 {
		return "", 0, fmt.Errorf("port %s is not between 0 and 65535", port)
	}
	return host, n, nil
}

// String is the listener as it is written in a file.
func (l Listener) String() string { return l.Name + "://" + l.Addr() }

// Addr is host:port, fit for net.Listen and net.Dial.
func (l Listener) Addr() string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }

// Wildcard listeners are bound to all interfaces.
func (l Listener) Wildcard() bool {
	a, err := netip.ParseAddr(l.Host)
	return l.Host == "" || err == nil && a.IsUnspecified()
}

// Loopback listeners are reached from this machine only.
func (l Listener) Loopback() bool {
	a, err := netip.ParseAddr(l.Host)
	return strings.EqualFold(l.Host, "localhost") || err == nil && a.IsLoopback()
}

// IsController tells whether a listener name belongs to the controller.
func (b *Broker) IsController(name string) bool { return slices.Contains(b.ControllerNames, name) }

// HasRole tells whether this process is a "broker" or a "controller".
func (b *Broker) HasRole(role string) bool { return slices.Contains(b.ProcessRoles, role) }

func (l *loader) listeners() {
	b := l.broker
	b.ControllerNames = upper(b.val("controller.listener.names").list)
	b.Listeners = l.parseListeners("listeners")
	b.Advertised = l.parseListeners("advertised.listeners")
	l.deriveListeners()
	l.deriveController()
	l.deriveAdvertised()
	l.protocols()
	l.distinctPorts()
	l.checkAdvertised()
	l.interBroker()
}

func upper(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.ToUpper(n)
	}
	return out
}

func (l *loader) parseListeners(key string) []Listener {
	s, set := l.values[key]
	if !set {
		return nil
	}
	var out []Listener
	seen := map[string]bool{}
	for _, text := range splitList(trim(s.value)) {
		ln, err := parseListener(text)
		switch {
		case err != nil:
			l.report.errorf(s.origin, key, "%v", err)
			l.unparsed = true
		case seen[ln.Name]:
			l.report.errorf(s.origin, key, "%s names the listener %s twice", key, ln.Name)
			l.unparsed = true
		default:
			out = append(out, ln)
		}
		seen[ln.Name] = true
	}
	return out
}

// deriveListeners fills in where to listen when nobody said so: where clients
// are told to connect to when that is given, else this machine only.
func (l *loader) deriveListeners() {
	b := l.broker
	if b.isSet("listeners") || l.unparsed || !b.HasRole("broker") {
		return
	}
	for _, a := range b.Advertised {
		if b.IsController(a.Name) {
			continue
		}
		bind := Listener{Name: a.Name, Port: a.Port}
		if a.Loopback() {
			bind.Host = a.Host
		}
		b.Listeners = append(b.Listeners, bind)
	}
	if len(b.Listeners) > 0 {
		l.report.notef(l.values["advertised.listeners"].origin, "listeners", "listeners is not set: listening on %s, after advertised.listeners", join(b.Listeners))
		return
	}
	b.Listeners = loopback("PLAINTEXT", kafkaPort)
}

// loopback is a listener on this machine only, IPv6 where there is any.
func loopback(name string, port int) []Listener {
	return []Listener{{Name: name, Host: "127.0.0.1", Port: port}, {Name: name, Host: "::1", Port: port, Optional: true}}
}

func join(ls []Listener) string {
	parts := make([]string, len(ls))
	for i, ln := range ls {
		parts[i] = ln.String()
	}
	return strings.Join(parts, ",")
}

// deriveController gives a controller without a listener of its own one beside
// the broker's first: same host, the port that the voters know, else 9093.
func (l *loader) deriveController() {
	b := l.broker
	if !b.HasRole("controller") || l.unparsed {
		return
	}
	if slices.ContainsFunc(b.Listeners, func(ln Listener) bool { return b.IsController(ln.Name) }) {
		return
	}
	if len(b.ControllerNames) == 0 {
		b.ControllerNames = []string{"CONTROLLER"}
	}
	port := controllerPort
	if v, ok := b.voter(b.NodeID); ok {
		port = v.Port
	}
	name := b.ControllerNames[0]
	if !b.isSet("listeners") && !b.isSet("advertised.listeners") {
		b.Listeners = append(b.Listeners, loopback(name, port)...)
		return
	}
	twin := Listener{Name: name, Port: port}
	if len(b.Listeners) > 0 {
		twin.Host = b.Listeners[0].Host
	}
	b.Listeners = append(b.Listeners, twin)
	l.report.notef(l.values["listeners"].origin, "listeners", "listeners has no %s: the controller listens on %s", name, twin)
}

// deriveAdvertised fills in what clients are told when nobody said so.
func (l *loader) deriveAdvertised() {
	b := l.broker
	if b.isSet("advertised.listeners") || l.unparsed {
		return
	}
	for _, ln := range b.Listeners {
		if b.IsController(ln.Name) || ln.Optional {
			continue
		}
		switch {
		case ln.Wildcard():
			host := l.hostname()
			l.report.notef(l.values["listeners"].origin, "advertised.listeners",
				"advertised.listeners is not set and %s listens on all interfaces: clients are told %s", ln.Name, net.JoinHostPort(host, strconv.Itoa(ln.Port)))
			ln.Host = host
		case !b.isSet("listeners"):
			ln.Host = "localhost"
		}
		b.Advertised = append(b.Advertised, ln)
	}
}

// protocols gives each listener its protocol by listener.security.protocol.map.
func (l *loader) protocols() {
	b := l.broker
	byName, ok := l.protocolMap()
	if !ok {
		return
	}
	for i := range b.Listeners {
		b.Listeners[i].Protocol = l.protocol(b.Listeners[i].Name, byName)
	}
	for i := range b.Advertised {
		b.Advertised[i].Protocol = byName[b.Advertised[i].Name]
	}
}

func (l *loader) protocolMap() (map[string]string, bool) {
	b := l.broker
	m := map[string]string{}
	s := l.values["listener.security.protocol.map"]
	for _, entry := range splitList(b.val("listener.security.protocol.map").str) {
		name, protocol, ok := strings.Cut(entry, ":")
		name, protocol = strings.ToUpper(trim(name)), strings.ToUpper(trim(protocol))
		if !ok || !slices.Contains(securityProtocols, protocol) {
			l.report.errorf(s.origin, "listener.security.protocol.map", "%q is not NAME:PROTOCOL with one of %s", entry, strings.Join(securityProtocols, ", "))
			return nil, false
		}
		m[name] = protocol
	}
	for _, name := range b.ControllerNames {
		if _, ok := m[name]; !ok {
			m[name] = "PLAINTEXT"
		}
	}
	return m, true
}

func (l *loader) protocol(name string, byName map[string]string) string {
	at := l.values["listeners"].origin
	p, ok := byName[name]
	if !ok {
		l.report.add(Problem{Error, at.Where, "listeners", "listener " + name + " has no security protocol",
			"add " + name + ":PLAINTEXT to listener.security.protocol.map"})
		return ""
	}
	if p != "PLAINTEXT" {
		l.report.add(Problem{Error, at.Where, "listeners", fmt.Sprintf("listener %s asks for %s, which this version cannot serve yet", name, p),
			"use PLAINTEXT on a network that you trust"})
	}
	return p
}

// distinctPorts refuses two names on one port, except for an IPv4 and an IPv6 address.
func (l *loader) distinctPorts() {
	ls := l.broker.Listeners
	for i, a := range ls {
		for _, c := range ls[:i] {
			if a.Port != 0 && a.Port == c.Port && a.Name != c.Name && (a.Host == c.Host || a.Wildcard() || c.Wildcard()) {
				l.report.errorf(l.values["listeners"].origin, "listeners", "listeners %s and %s share port %d", c.Name, a.Name, a.Port)
			}
		}
	}
}

func (l *loader) checkAdvertised() {
	b := l.broker
	at := l.values["advertised.listeners"].origin
	if l.unparsed {
		return
	}
	for _, a := range b.Advertised {
		if !slices.ContainsFunc(b.Listeners, func(ln Listener) bool { return ln.Name == a.Name }) {
			l.report.errorf(at, "advertised.listeners", "advertised.listeners names %s, which is not in listeners (%s)", a.Name, join(b.Listeners))
		}
		if a.Wildcard() && b.isSet("advertised.listeners") {
			l.report.add(Problem{Error, at.Where, "advertised.listeners", fmt.Sprintf("advertised.listeners tells clients to connect to %q, which no client can", a.Addr()),
				"write the name or address by which clients reach this machine"})
		}
	}
	if b.HasRole("broker") && !slices.ContainsFunc(b.Advertised, func(a Listener) bool { return !b.IsController(a.Name) }) {
		l.report.errorf(at, "advertised.listeners", "no listener is left for clients: all of them belong to the controller")
	}
	b.Advertised = slices.DeleteFunc(b.Advertised, func(a Listener) bool { return b.IsController(a.Name) })
}

// interBroker finds the listener between brokers: by name, else by protocol,
// else the only one that there is.
func (l *loader) interBroker() {
	b := l.broker
	if !b.HasRole("broker") || l.unparsed || len(b.Advertised) == 0 {
		return
	}
	names := make([]string, len(b.Advertised))
	for i, a := range b.Advertised {
		names[i] = a.Name
	}
	if s, ok := l.values["inter.broker.listener.name"]; ok {
		l.interBrokerByName(s, names)
		return
	}
	protocol := b.val("security.inter.broker.protocol").str
	speaks := func(a Listener) bool { return a.Protocol == protocol }
	asked, set := l.values["security.inter.broker.protocol"]
	switch {
	case slices.Contains(names, protocol):
		b.InterBroker = protocol
	case set && !slices.ContainsFunc(b.Advertised, speaks):
		l.report.errorf(asked.origin, "security.inter.broker.protocol",
			"no advertised listener of %s speaks %s, so brokers could not: give the protocol of one of them, or remove the key", strings.Join(names, ", "), protocol)
	case len(names) == 1:
		b.InterBroker = names[0]
	default:
		i := slices.IndexFunc(b.Advertised, speaks)
		if i < 0 {
			l.report.errorf(l.values["advertised.listeners"].origin, "inter.broker.listener.name",
				"inter.broker.listener.name must name one of %s", strings.Join(names, ", "))
			return
		}
		b.InterBroker = names[i]
		l.report.notef(Origin{}, "inter.broker.listener.name", "inter.broker.listener.name is not set: brokers use %s", b.InterBroker)
	}
}

func (l *loader) interBrokerByName(s setting, names []string) {
	if o, both := l.values["security.inter.broker.protocol"]; both {
		l.report.errorf(o.origin, "security.inter.broker.protocol",
			"only one of inter.broker.listener.name and security.inter.broker.protocol may be set")
	}
	name := strings.ToUpper(trim(s.value))
	if !slices.Contains(names, name) {
		l.report.errorf(s.origin, "inter.broker.listener.name",
			"inter.broker.listener.name %s is not one of the advertised listeners %s", name, strings.Join(names, ", "))
	}
	l.broker.InterBroker = name
}
