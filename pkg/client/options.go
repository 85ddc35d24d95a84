package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Option sets one thing of a client. Later options outrank earlier ones.
type Option func(*config) error

// DefaultBroker is used when nobody names one.
const DefaultBroker = "localhost:9092"

// config collects options; build turns it into franz-go's.
type config struct {
	brokers        []string
	tls            *tls.Config
	connectTimeout time.Duration
	maxBlock       time.Duration
	props          Properties
	warnings       []string
	kgo            []kgo.Opt // in order; the last of a kind wins
	read           *Reading
}

func newConfig() *config {
	return &config{
		brokers:        []string{DefaultBroker},
		connectTimeout: 5 * time.Second,
		maxBlock:       time.Minute,
		props:          Properties{},
	}
}

// Brokers names the bootstrap addresses, host or host:port, comma lists
// allowed. One that is named twice counts once.
func Brokers(addrs ...string) Option {
	return func(c *config) error {
		list, err := splitBrokers(addrs)
		if err == nil {
			c.brokers = list
		}
		return err
	}
}

func splitBrokers(addrs []string) ([]string, error) {
	var list []string
	for _, a := range strings.Split(strings.Join(addrs, ","), ",") {
		a = strings.TrimSpace(a)
		if a == "" {
			continue
		}
		if i := strings.Index(a, "://"); i >= 0 { // PLAINTEXT://host:port
			a = a[i+3:]
		}
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			host, port = strings.Trim(a, "[]"), "9092"
		}
		if host == "" {
			return nil, fmt.Errorf("bootstrap address %q has no host", a)
		}
		if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
			return nil, fmt.Errorf("bootstrap address %q: %q is not a port", a, port)
		}
		if a = net.JoinHostPort(host, port); !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("bootstrap address is empty: give HOST:PORT[,HOST:PORT]")
	}
	return list, nil
}

// ClientID names this client in the brokers' logs and quotas.
func ClientID(id string) Option { return Kgo(kgo.ClientID(id)) }

// ConnectTimeout bounds Connect (5 s unless set).
func ConnectTimeout(d time.Duration) Option {
	return func(c *config) error { c.connectTimeout = d; return nil }
}

// Logger takes what franz-go has to say.
func Logger(l *slog.Logger) Option { return Kgo(kgo.WithLogger(slogger{l})) }

// Kgo passes franz-go's own options on; they outrank what properties say.
func Kgo(opts ...kgo.Opt) Option {
	return func(c *config) error { c.kgo = append(c.kgo, opts...); return nil }
}

// AutoCreateTopics lets a broker create the topics that are produced to or read.
func AutoCreateTopics() Option { return Kgo(kgo.AllowAutoTopicCreation()) }

// TLS switches TLS on, trusting the CA certificates (PEM) of the files named,
// or the system's when none is.
func TLS(caFiles ...string) Option {
	return func(c *config) error {
		conf := c.secure()
		for _, file := range caFiles {
			pem, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("CA certificates: %w", err)
			}
			if err := trust(conf, pem, file); err != nil {
				return err
			}
		}
		return nil
	}
}

// secure gives the TLS configuration, made if there is none yet.
func (c *config) secure() *tls.Config {
	if c.tls == nil {
		c.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return c.tls
}

func trust(conf *tls.Config, pem []byte, from string) error {
	if conf.RootCAs == nil {
		conf.RootCAs = x509.NewCertPool()
	}
	if !conf.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("no PEM certificate in %s", from)
	}
	return nil
}

// SASLPlain, SASLScram256 and SASLScram512 authenticate by name and password.
func SASLPlain(user, password string) Option {
	return Kgo(kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()))
}

func SASLScram256(user, password string) Option {
	return Kgo(kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism()))
}

func SASLScram512(user, password string) Option {
	return Kgo(kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
}

// mechanism builds what sasl.mechanism names.
func mechanism(name, user, password string) (sasl.Mechanism, error) {
	switch strings.ToUpper(name) {
	case "PLAIN":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("sasl.mechanism=%s is not supported: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 are", name)
}

// WithProperties applies settings by their Java names. What has no effect is
// told by Client.Warnings.
func WithProperties(p Properties) Option {
	return func(c *config) error {
		for k, v := range p {
			c.props[k] = v
		}
		return nil
	}
}

// build turns properties and options into franz-go's options.
func (c *config) build() ([]kgo.Opt, error) {
	opts, err := c.applyProperties()
	if err != nil {
		return nil, err
	}
	if c.read != nil {
		opts = append(opts, c.read.options()...)
	}
	return append(opts, c.kgo...), nil
}

// slogger writes franz-go's log to slog.
type slogger struct{ to *slog.Logger }

func (s slogger) Level() kgo.LogLevel {
	for _, l := range []kgo.LogLevel{kgo.LogLevelDebug, kgo.LogLevelInfo, kgo.LogLevelWarn} {
		if s.to.Enabled(context.Background(), slogLevel(l)) {
			return l
		}
	}
	return kgo.LogLevelError
}

func (s slogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	s.to.Log(context.Background(), slogLevel(level), msg, keyvals...)
}

func slogLevel(l kgo.LogLevel) slog.Level {
	switch l {
	case kgo.LogLevelDebug:
		return slog.LevelDebug
	case kgo.LogLevelInfo:
		return slog.LevelInfo
	case kgo.LogLevelWarn:
		return slog.LevelWarn
	}
	return slog.LevelError
}

// DeliveryTimeout bounds how long a record may be under way before it is given
// up, as Java's delivery.timeout.ms does: the broker may have it all the same.
// franz-go alone would wait for ever for a record that it has sent once.
func DeliveryTimeout(d time.Duration) Option {
	return Kgo(kgo.RecordDeliveryTimeout(max(d, time.Second)), kgo.AllowIdempotentProduceCancellation())
}

// ManualPartitions sends each record to the partition that it names.
func ManualPartitions() Option { return Kgo(kgo.RecordPartitioner(kgo.ManualPartitioner())) }
