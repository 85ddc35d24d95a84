package auth

import "github.com/brokerd/brokerd/internal/meta"

// Principal names who asks: User:alice.
type Principal struct{ Type, Name string }

func (p Principal) String() string { return p.Type + ":" + p.Name }

// Operation numbers are Kafka's (AclOperation).
type Operation int8

const (
	Read            Operation = 3
	Write           Operation = 4
	Create          Operation = 5
	Delete          Operation = 6
	Alter           Operation = 7
	Describe        Operation = 8
	ClusterAction   Operation = 9
	DescribeConfigs Operation = 10
	AlterConfigs    Operation = 11
	IdempotentWrite Operation = 12
)

// ResourceType numbers are Kafka's (ResourceType of ACLs, which are not those
// of configurations).
type ResourceType int8

const (
	Topic           ResourceType = 2
	Group           ResourceType = 3
	Cluster         ResourceType = 4
	TransactionalID ResourceType = 5
)

// Resource is what is asked for.
type Resource struct {
	Type ResourceType
	Name string
}

// TheCluster is the one resource of type Cluster.
var TheCluster = Resource{Cluster, "kafka-cluster"}

// Question is one decision to make.
type Question struct {
	Principal Principal
	Host      string // address of the client, without port
	Operation Operation
	Resource  Resource
}

// Authorizer answers questions against the rules of one image.
type Authorizer interface {
	// Allows reports whether q is allowed. It does not wait.
	Allows(im *meta.Image, q Question) bool
	// Enabled reports whether there are rules at all: without, calls that
	// administer ACLs answer SECURITY_DISABLED.
	Enabled() bool
}

// AllowAll is the authorizer of a broker that has none configured.
type AllowAll struct{}

func (AllowAll) Allows(*meta.Image, Question) bool { return true }
func (AllowAll) Enabled() bool                     { return false }
