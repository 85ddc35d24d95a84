package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/brokerd/brokerd/pkg/client"
)

// Exit codes of the native face. Kafka's face knows 0 and 1.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitConnect     = 3
	exitAuth        = 4
	exitNotFound    = 5
	exitConflict    = 6
	exitPartly      = 7
	exitTimeout     = 8
	exitInterrupted = 130
)

// cliError is an error as people read it: what failed with which value and why,
// then what to do next.
type cliError struct {
	text string
	hint string // may have several lines
	code int
	err  error // what it came from, for -o json
}

func (e *cliError) Error() string { return e.text }
func (e *cliError) Unwrap() error { return e.err }

func usageErr(hint, format string, args ...any) error {
	return &cliError{text: fmt.Sprintf(format, args...), hint: hint, code: exitUsage}
}

// explained gives an error its words, its next step and its exit code.
func explained(err error, address addressOrigin) *cliError {
	var done *cliError
	if errors.As(err, &done) {
		return done
	}
	var unreachable *client.UnreachableError
	var advertised *client.AdvertisedError
	var answered *client.Error
	switch {
	case errors.As(err, &unreachable):
		return unreachableText(unreachable, address)
	case errors.As(err, &advertised):
		return &cliError{text: advertised.Error(), code: exitConnect, err: err, hint: fmt.Sprintf(
			"the broker's advertised.listeners names %s. On the broker set a name that this machine can reach:\n    advertised.listeners=PLAINTEXT://%s",
			advertised.Advertised, advertised.Bootstrap)}
	case errors.As(err, &answered):
		return answeredText(answered)
	case errors.Is(err, context.Canceled):
		return &cliError{text: "interrupted", code: exitInterrupted, err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &cliError{text: "no answer in time: " + err.Error(), hint: "--timeout gives it longer", code: exitTimeout, err: err}
	}
	return &cliError{text: err.Error(), code: exitFailed, err: err}
}

func unreachableText(u *client.UnreachableError, address addressOrigin) *cliError {
	refused := true
	for _, t := range u.Tried {
		refused = refused && client.Plain(t.Err) == "connection refused"
	}
	hint := "name a broker that answers: --bootstrap-server HOST:9092"
	if refused {
		hint = "nothing listens there. Start a broker with `brokerd server`, or name one: --bootstrap-server HOST:9092"
	}
	hint += "   (address from " + address.from + ")"
	if len(address.others) > 0 {
		hint = "several servers run on this machine: name one of them, --bootstrap-server " + strings.Join(address.others, " or ")
	}
	return &cliError{text: u.Error(), hint: hint, code: exitConnect, err: u}
}

func answeredText(a *client.Error) *cliError {
	e := &cliError{text: a.Error(), code: exitFailed, err: a}
	switch {
	case errors.Is(a, client.ErrNotAuthorized):
		e.code = exitAuth
		e.hint = "an administrator can allow it, or log in as another: --command-config FILE with security.protocol, sasl.mechanism and sasl.jaas.config"
	case errors.Is(a, client.ErrUnknownTopic), errors.Is(a, client.ErrUnknownTopicID):
		e.code = exitNotFound
		e.hint = "`brokerd topics list` shows the topics that exist; `brokerd topics create NAME` makes one"
	case errors.Is(a, client.ErrTopicExists):
		e.code = exitConflict
		e.hint = "--if-not-exists makes this a success; `brokerd topics describe " + a.Name + "` shows it"
	case errors.Is(a, client.ErrReplicationFactor):
		e.hint = "a replica needs a broker of its own: use a smaller --replication-factor, or start more brokers"
	case errors.Is(a, client.ErrInvalidPartitions):
		e.code = exitConflict
		e.hint = "partitions can be added, never removed"
	case errors.Is(a, client.ErrUnknownBroker):
		e.code = exitNotFound
	case errors.Is(a, client.ErrInvalidConfig), errors.Is(a, client.ErrInvalidRequest) && strings.HasPrefix(a.Doing, "alter configs"):
		whose := "--topic NAME"
		if strings.HasSuffix(a.Doing, "broker") {
			whose = "--broker ID"
		}
		e.hint = "`brokerd configs describe " + whose + " --all` shows names and values"
	case errors.Is(a, client.ErrMessageTooLarge):
		e.hint = "the topic's max.message.bytes is the limit: `brokerd configs describe --topic " + a.Name + " --all` shows it"
	case errors.Is(a, client.ErrTimedOut) && a.Doing == "produce to topic":
		e.code = exitTimeout
		e.hint = "--timeout waits longer. `brokerd topics describe " + a.Name + "` shows which broker leads; its log and /readyz say what keeps it"
	case errors.Is(a, client.ErrTimedOut):
		e.code = exitTimeout
		e.hint = "the broker goes on with it; look again in a moment"
	case errors.Is(a, client.ErrDiskFull):
		e.hint = "free space there, or delete records: `brokerd configs alter --topic " + a.Name + " --set retention.ms=MS` or `brokerd topics delete NAME`.\nThe broker goes on by itself; its log says how much it wants free"
	case errors.Is(a, client.ErrNoLogDir):
		e.code = exitNotFound
		e.hint = "`brokerd partitions dirs` lists the log directories of each broker"
	case errors.Is(a, client.ErrReplicaNotAvailable):
		e.code = exitNotFound
		e.hint = "`brokerd topics describe` shows which brokers have the partition"
	case errors.Is(a, client.ErrStorage) && a.Doing == "move replica":
		e.hint = "a log directory of that broker has failed: `brokerd partitions dirs` shows which, the broker's log says why. Mend it and restart the broker"
	case errors.Is(a, client.ErrStorage):
		e.hint = "the log of the broker that leads the partition says what failed: `brokerd topics describe " + a.Name + "` shows which broker that is"
	case errors.Is(a, client.ErrNoLeader):
		if a.Message == "" {
			e.text = fmt.Sprintf("%s %q: a partition of it has no leader", a.Doing, a.Name)
		}
		e.hint = "its replicas are offline, or an election is under way: `brokerd topics describe " + a.Name + "` shows which, and a broker's /readyz and log say why"
	case errors.Is(a, client.ErrUnsupported):
		e.hint = "the broker is of another release, or not a brokerd; `brokerd version` shows this one's"
	case errors.Is(a, client.ErrDeletionDisabled):
		e.code = exitConflict
		e.hint = "delete.topic.enable=true on the brokers allows it"
	}
	return e
}

// errorJSON is an error in JSON; name and code are the broker's, if it was the
// broker that said no.
type errorJSON struct {
	Name     string `json:"name,omitempty"`
	Code     int16  `json:"code,omitempty"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
	ExitCode int    `json:"exitCode"`
}

func (e *cliError) json() *errorJSON {
	out := &errorJSON{Message: e.text, Hint: e.hint, ExitCode: e.code}
	var a *client.Error
	if errors.As(e.err, &a) {
		out.Name, out.Code = a.CodeName(), a.CodeNumber()
	}
	return out
}

// report prints an error and gives the exit code.
func report(w io.Writer, e *cliError, asJSON bool) int {
	if asJSON {
		text, err := json.Marshal(map[string]any{"error": e.json()})
		if err == nil { // strings and numbers only
			fmt.Fprintf(w, "%s\n", text)
		}
		return e.code
	}
	fmt.Fprintln(w, "error: "+e.text)
	if e.hint != "" {
		fmt.Fprintln(w, "  "+strings.ReplaceAll(e.hint, "\n", "\n  "))
	}
	return e.code
}
