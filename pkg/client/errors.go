package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
)

// What a broker may answer. Every *Error unwraps to one of these, or to
// another error of franz-go's kerr.
var (
	ErrTopicExists        error = kerr.TopicAlreadyExists
	ErrUnknownTopic       error = kerr.UnknownTopicOrPartition
	ErrUnknownTopicID     error = kerr.UnknownTopicID
	ErrInvalidTopic       error = kerr.InvalidTopicException
	ErrInvalidPartitions  error = kerr.InvalidPartitions
	ErrReplicationFactor  error = kerr.InvalidReplicationFactor
	ErrReplicaAssignment  error = kerr.InvalidReplicaAssignment
	ErrInvalidConfig      error = kerr.InvalidConfig
	ErrInvalidRequest     error = kerr.InvalidRequest
	ErrPolicyViolation    error = kerr.PolicyViolation
	ErrDeletionDisabled   error = kerr.TopicDeletionDisabled
	ErrTimedOut           error = kerr.RequestTimedOut
	ErrUnsupported        error = kerr.UnsupportedVersion
	ErrMessageTooLarge    error = kerr.MessageTooLarge
	ErrNotEnoughReplicas  error = kerr.NotEnoughReplicas
	ErrOffsetOutOfRange   error = kerr.OffsetOutOfRange
	ErrSecurityDisabled   error = kerr.SecurityDisabled
	ErrStorage            error = kerr.KafkaStorageError
	ErrNoLeader           error = kerr.LeaderNotAvailable
	ErrUnknownServerError error = kerr.UnknownServerError
	ErrUnknownBroker      error = kerr.BrokerIDNotRegistered
	ErrUnknownGroup       error = kerr.GroupIDNotFound
	ErrNonEmptyGroup      error = kerr.NonEmptyGroup
	ErrGroupSubscribed    error = kerr.GroupSubscribedToTopic

	// ErrDiskFull is ErrStorage for a reason that passes when space is freed.
	ErrDiskFull = fmt.Errorf("disk is full: %w", kerr.KafkaStorageError)

	// ErrNotAuthorized stands for every answer that says who you are, or what
	// you may do, is not enough.
	ErrNotAuthorized = errors.New("not authorized")
)

// Error is what a broker answered to a request about one thing.
type Error struct {
	Doing   string // as in "create topic"
	Name    string // of the thing, may be empty
	Code    error  // a sentinel of this package or of kerr
	Message string // the broker's own words, may be empty
}

func (e *Error) Error() string {
	what := e.Doing
	if e.Name != "" {
		what += fmt.Sprintf(" %q", e.Name)
	}
	return what + ": " + e.Reason()
}

// Reason is the broker's own words, or the meaning of the code.
func (e *Error) Reason() string {
	if e.Message != "" {
		return e.Message
	}
	var k *kerr.Error
	if errors.As(e.Code, &k) {
		return k.Description
	}
	return e.Code.Error()
}

// CodeName is the name of the code as Kafka spells it, as INVALID_CONFIG.
func (e *Error) CodeName() string {
	var k *kerr.Error
	if errors.As(e.Code, &k) {
		return k.Message
	}
	return "UNKNOWN_SERVER_ERROR"
}

// CodeNumber is the code on the wire.
func (e *Error) CodeNumber() int16 {
	var k *kerr.Error
	if errors.As(e.Code, &k) {
		return k.Code
	}
	return -1
}

// Retriable says whether the same request may succeed a moment later.
func (e *Error) Retriable() bool { return kerr.IsRetriable(e.Code) }

func (e *Error) Unwrap() error { return e.Code }

// Is makes errors.Is(err, ErrNotAuthorized) true for every code of that kind.
func (e *Error) Is(target error) bool {
	return target == ErrNotAuthorized && isAuthError(e.Code)
}

// answer turns a code of a response into an error, nil for code 0.
func answer(doing, name string, code int16, message *string) error {
	if code == 0 {
		return nil
	}
	e := &Error{Doing: doing, Name: name, Code: kerr.ErrorForCode(code)}
	if message != nil {
		e.Message = *message
	}
	return e
}

var authErrors = []error{
	kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
	kerr.TransactionalIDAuthorizationFailed, kerr.DelegationTokenAuthorizationFailed,
	kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState,
}

func isAuthError(err error) bool { return authCode(err) != nil }

func authCode(err error) error {
	for _, a := range authErrors {
		if errors.Is(err, a) {
			return a
		}
	}
	return nil
}

// Attempt is what came of one bootstrap address.
type Attempt struct {
	Addr string
	Err  error
}

// UnreachableError says that no bootstrap address answered.
type UnreachableError struct{ Tried []Attempt }

func (e *UnreachableError) Error() string {
	parts := make([]string, len(e.Tried))
	for i, t := range e.Tried {
		parts[i] = t.Addr + ": " + Plain(t.Err)
	}
	return "cannot reach the cluster at " + strings.Join(parts, ", ")
}

func (e *UnreachableError) Unwrap() []error {
	all := make([]error, len(e.Tried))
	for i, t := range e.Tried {
		all[i] = t.Err
	}
	return all
}

// AdvertisedError says that the cluster answered at Bootstrap, but that the
// address which it tells clients to use cannot be reached from here.
type AdvertisedError struct {
	Bootstrap, Advertised string
	Err                   error
}

func (e *AdvertisedError) Error() string {
	return fmt.Sprintf("connected to %s, but it tells clients to use %q: %s", e.Bootstrap, e.Advertised, Plain(e.Err))
}

func (e *AdvertisedError) Unwrap() error { return e.Err }

// tlsError marks an error of the TLS handshake.
type tlsError struct{ err error }

func (e *tlsError) Error() string { return "tls: " + e.err.Error() }
func (e *tlsError) Unwrap() error { return e.err }

// Plain says in a few words why a connection failed, without the addresses and
// system calls that Go's network errors repeat.
func Plain(err error) string {
	var dns *net.DNSError
	var secure *tlsError
	switch {
	case err == nil:
		return "unknown"
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return "host name does not resolve here"
		}
		return "host name look-up failed: " + dns.Err
	case errors.As(err, &secure):
		return "TLS handshake failed: " + strings.TrimPrefix(secure.err.Error(), "tls: ")
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset by peer"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route to host"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the peer closed the connection: is it a Kafka port, and does it speak this security protocol?"
	}
	return err.Error()
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// kafkaCode finds the broker's code in an error of franz-go, nil if there is none.
func kafkaCode(err error) error {
	var k *kerr.Error
	if errors.As(err, &k) {
		return k
	}
	return nil
}

// unknownBroker says that a request was for a broker that the cluster does not
// list; franz-go has no name for this error.
func unknownBroker(err error) bool {
	return err != nil && strings.HasSuffix(err.Error(), "unknown broker")
}

// unsupported says that the broker does not know a request.
func unsupported(err error) bool {
	return err != nil && (errors.Is(err, kerr.UnsupportedVersion) ||
		strings.Contains(err.Error(), "broker is too old"))
}
