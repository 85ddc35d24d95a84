package conf

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Voter is one controller of controller.quorum.voters.
type Voter struct {
	ID   int32
	Host string
	Port int
}

// Addr is host:port.
func (v Voter) Addr() string { return net.JoinHostPort(v.Host, strconv.Itoa(v.Port)) }

func (v Voter) String() string { return fmt.Sprintf("%d@%s", v.ID, v.Addr()) }

const votersForm = "Invalid configuration value for controller.quorum.voters. Each entry should be in the form `{id}@{host}:{port}`."

func parseVoters(entries []string) ([]Voter, error) {
	var voters []Voter
	for _, e := range entries {
		id, addr, ok := strings.Cut(e, "@")
		if !ok {
			return nil, fmt.Errorf("%s", votersForm)
		}
		n, err := parseInteger(id, 32)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("Failed to parse voter ID as an integer from %s in controller.quorum.voters", e)
		}
		host, port, err := splitHostPort(addr)
		if err != nil || port == 0 {
			return nil, fmt.Errorf("Failed to parse host name from entry %s for the configuration controller.quorum.voters. Each entry should be in the form `{id}@{host}:{port}`.", e)
		}
		if slices.ContainsFunc(voters, func(v Voter) bool { return v.ID == int32(n) }) {
			return nil, fmt.Errorf("controller.quorum.voters names the node %d twice", n)
		}
		voters = append(voters, Voter{int32(n), host, port})
	}
	return voters, nil
}

func (b *Broker) voter(id int32) (Voter, bool) {
	for _, v := range b.Voters {
		if v.ID == id {
			return v, true
		}
	}
	return Voter{}, false
}

// identity settles the roles, the number of this node, and the voters.
func (l *loader) identity() {
	b := l.broker
	b.ProcessRoles = b.val("process.roles").list
	b.ClusterID = b.val("cluster.id").str
	l.nodeID()
	b.Voters, _ = parseVoters(b.val("controller.quorum.voters").list) // checked already
	b.BootstrapServers = b.val("controller.quorum.bootstrap.servers").list
	l.zookeeper()
	l.checkVoters()
}

// nodeID takes node.id, else broker.id, which must not say otherwise; a broker.id
// of -1 asked ZooKeeper for a number and means that none is given.
func (l *loader) nodeID() {
	b := l.broker
	b.NodeID = int32(b.val("node.id").num)
	old, ok := l.values["broker.id"]
	if !ok {
		return
	}
	id := int32(b.val("broker.id").num)
	switch {
	case b.isSet("node.id") && id != b.NodeID && id >= 0:
		l.report.errorf(old.origin, "broker.id", "broker.id is %d and node.id is %d: they must be the same", id, b.NodeID)
	case id < -1:
		l.report.errorf(old.origin, "broker.id", "broker.id must be at least 0, found %d", id)
	case id >= 0 && !b.isSet("node.id"):
		b.NodeID = id
	}
}

// zookeeper reads a file from the time of ZooKeeper: zookeeper.connect and no
// process.roles mean broker and controller in one. Several hosts are where the
// controllers are, at the controllers' port; one host means a single node.
func (l *loader) zookeeper() {
	b := l.broker
	s, ok := l.values["zookeeper.connect"]
	if !ok || b.isSet("process.roles") || trim(s.value) == "" {
		return
	}
	if len(b.Voters) > 0 || len(b.BootstrapServers) > 0 {
		l.report.warnf(s.origin, "zookeeper.connect", "zookeeper.connect is ignored: the controllers are named by controller.quorum keys")
		return
	}
	hosts, err := zookeeperHosts(s.value)
	if err != nil {
		l.report.errorf(s.origin, "zookeeper.connect", "zookeeper.connect: %v", err)
		return
	}
	if len(hosts) == 1 {
		l.report.warnf(s.origin, "zookeeper.connect", "there is no ZooKeeper here: this is a single node, broker and controller in one")
		return
	}
	for _, h := range hosts {
		b.BootstrapServers = append(b.BootstrapServers, net.JoinHostPort(h, strconv.Itoa(controllerPort)))
	}
	l.report.add(Problem{Warning, s.origin.Where, "zookeeper.connect",
		"there is no ZooKeeper here: this node is broker and controller in one, and its hosts are taken as controller.quorum.bootstrap.servers=" + strings.Join(b.BootstrapServers, ","),
		"to start alone, replace zookeeper.connect by process.roles=broker,controller"})
}

// zookeeperHosts is the distinct hosts of host:port,host:port/chroot.
func zookeeperHosts(value string) ([]string, error) {
	list, _, _ := strings.Cut(trim(value), "/")
	var hosts []string
	for _, entry := range splitList(list) {
		host, port, err := net.SplitHostPort(entry)
		if err != nil {
			host, port = strings.Trim(entry, "[]"), "2181"
		}
		if n, err := parseInteger(port, 32); host == "" || err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("%q is not host:port", entry)
		}
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if len(hosts) == 0 {
		return nil, fmt.Errorf("no host in %q", value)
	}
	return hosts, nil
}

func (l *loader) checkVoters() {
	b := l.broker
	if max(len(b.Voters), len(b.BootstrapServers)) > 1 && !b.isSet("node.id") && !b.isSet("broker.id") && !l.report.failed("node.id", "broker.id") {
		l.report.add(Problem{Severity: Error, Key: "node.id", Text: "node.id is not set, and there are several nodes", Hint: "give each of them its own"})
	}
	if len(b.Voters) == 0 || l.report.failed("node.id", "broker.id") {
		return
	}
	at := l.values["controller.quorum.voters"].origin
	_, among := b.voter(b.NodeID)
	switch {
	case b.HasRole("controller") && !among:
		l.report.add(Problem{Error, at.Where, "controller.quorum.voters",
			fmt.Sprintf("this node is a controller, but its node.id %d is not among the voters %s", b.NodeID, b.val("controller.quorum.voters").print()),
			"set node.id to one of theirs, or process.roles=broker"})
	case !b.HasRole("controller") && among:
		l.report.errorf(at, "controller.quorum.voters", "node.id %d is among the voters, but process.roles has no controller", b.NodeID)
	}
}

// checkControllerPort warns when the others would look for this controller at
// a port where it does not listen.
func (l *loader) checkControllerPort() {
	b := l.broker
	v, ok := b.voter(b.NodeID)
	if !ok {
		return
	}
	for _, ln := range b.Listeners {
		if b.IsController(ln.Name) && ln.Port != v.Port && ln.Port != 0 {
			l.report.warnf(l.values["controller.quorum.voters"].origin, "controller.quorum.voters",
				"the voters know this node as %s, but its listener %s has port %d", v, ln.Name, ln.Port)
		}
	}
}
