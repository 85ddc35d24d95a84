package client

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// security applies security.protocol and the ssl.* keys.
func security(c *config) ([]kgo.Opt, error) {
	protocol := strings.ToUpper(strings.TrimSpace(c.props["security.protocol"]))
	switch protocol {
	case "", "PLAINTEXT", "SASL_PLAINTEXT":
		return nil, nil
	case "SSL", "SASL_SSL":
	default:
		return nil, fmt.Errorf("security.protocol=%s: is none of PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL", protocol)
	}
	conf := c.secure()
	if err := c.trusted(conf); err != nil {
		return nil, err
	}
	if err := c.ownCertificate(conf); err != nil {
		return nil, err
	}
	if v, set := c.props["ssl.endpoint.identification.algorithm"]; set && strings.TrimSpace(v) == "" {
		verifyChainOnly(conf)
	}
	return nil, nil
}

// credentials applies sasl.* when the protocol asks for SASL.
func credentials(c *config) ([]kgo.Opt, error) {
	if !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(c.props["security.protocol"])), "SASL_") {
		return nil, nil
	}
	line, given := c.props["sasl.jaas.config"]
	if !given {
		return nil, fmt.Errorf("security.protocol=%s needs sasl.mechanism and sasl.jaas.config", c.props["security.protocol"])
	}
	user, password, err := jaas(line)
	if err != nil {
		return nil, err
	}
	m, err := mechanism(strings.TrimSpace(c.props["sasl.mechanism"]), user, password)
	if err != nil {
		return nil, err
	}
	return []kgo.Opt{kgo.SASL(m)}, nil
}

func (c *config) trusted(conf *tls.Config) error {
	if err := pemOnly("ssl.truststore.type", c.props["ssl.truststore.type"], c.props["ssl.truststore.location"]); err != nil {
		return err
	}
	if inline := c.props["ssl.truststore.certificates"]; inline != "" {
		return trust(conf, []byte(inline), "ssl.truststore.certificates")
	}
	file := c.props["ssl.truststore.location"]
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("ssl.truststore.location: %w", err)
	}
	return trust(conf, pem, file)
}

func (c *config) ownCertificate(conf *tls.Config) error {
	if err := pemOnly("ssl.keystore.type", c.props["ssl.keystore.type"], c.props["ssl.keystore.location"]); err != nil {
		return err
	}
	chain, private := []byte(c.props["ssl.keystore.certificate.chain"]), []byte(c.props["ssl.keystore.key"])
	if file := c.props["ssl.keystore.location"]; file != "" {
		pem, err := os.ReadFile(file) // one file with both, as Kafka has it
		if err != nil {
			return fmt.Errorf("ssl.keystore.location: %w", err)
		}
		chain, private = pem, pem
	}
	if len(chain) == 0 {
		return nil
	}
	cert, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return fmt.Errorf("ssl.keystore: %w (an encrypted private key must be decrypted first)", err)
	}
	conf.Certificates = []tls.Certificate{cert}
	return nil
}

// pemOnly refuses Java's own stores: say how to get PEM out of one.
func pemOnly(key, kind, file string) error {
	kind = strings.ToUpper(strings.TrimSpace(kind))
	lower := strings.ToLower(file)
	foreign := strings.HasSuffix(lower, ".jks") || strings.HasSuffix(lower, ".p12") || strings.HasSuffix(lower, ".pfx")
	if file == "" || kind == "PEM" || kind == "" && !foreign {
		return nil
	}
	return fmt.Errorf("%s: this client reads PEM, not %s: keytool -importkeystore to PKCS12, then openssl pkcs12 -in FILE -out store.pem -nodes, and %s=PEM",
		file, orJKS(kind), key)
}

func orJKS(kind string) string {
	if kind == "" {
		return "JKS or PKCS12"
	}
	return kind
}

// verifyChainOnly checks the certificate chain but not the host name.
func verifyChainOnly(conf *tls.Config) {
	conf.InsecureSkipVerify = true // VerifyConnection below checks the chain instead
	conf.VerifyConnection = func(s tls.ConnectionState) error {
		opts := x509.VerifyOptions{Roots: conf.RootCAs, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			opts.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(opts)
		return err
	}
}
