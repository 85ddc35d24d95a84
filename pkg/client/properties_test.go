package client

import (
	"strings"
	"testing"
)

func TestParseProperties(t *testing.T) {
	text := "# comment\n! another\nbootstrap.servers=a:1,b:2\nacks = all\nclient.id: x\nlong=a,\\\n  b\nuni=\\u00e9\nempty=\nplain\nurl=http://h/?a=b\n${x}=${y}\n"
	p, err := ParseProperties([]byte(text), "f")
	if err != nil {
		t.Fatal(err)
	}
	want := Properties{"bootstrap.servers": "a:1,b:2", "acks": "all", "client.id": "x", "long": "a,b", "uni": "é",
		"empty": "", "plain": "", "url": "http://h/?a=b", "${x}": "${y}"}
	for k, v := range want {
		if got, ok := p[k]; !ok || got != v {
			t.Errorf("%s = %q, want %q", k, got, v)
		}
	}
	if len(p) != len(want) {
		t.Errorf("%v", p)
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add([]byte("a=b\\\n c\nd:\\u12"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProperties(text, "f")
		if err == nil {
			_, _ = New(WithProperties(p)) // an error or a client, never a panic
		}
	})
}

func TestJaas(t *testing.T) {
	for _, c := range []struct{ line, user, password string }{
		{`org.apache.kafka.common.security.scram.ScramLoginModule required username="app" password="se;cret";`, "app", "se;cret"},
		{`x required username='a b' password='q"q';`, "a b", `q"q`},
		{`x required password="p\"w" username=bare ;`, "bare", `p"w`},
		{"x required\n username=\"u\"\n password=\"p\";", "u", "p"},
		{`x required myusername="no" username = "u" password= "p";`, "u", "p"},
	} {
		user, password, err := jaas(c.line)
		if err != nil || user != c.user || password != c.password {
			t.Errorf("%s: %q %q %v", c.line, user, password, err)
		}
	}
	for _, line := range []string{"", `username="u"`, `username="u password="p"`, `username= password=`} {
		if u, p, err := jaas(line); err == nil {
			t.Errorf("%s: accepted as %q %q", line, u, p)
		}
	}
}

func TestPropertiesMakeClients(t *testing.T) {
	for _, c := range []struct {
		name, text string
		err        string   // in New's error
		warn       []string // in its warnings
	}{
		{name: "articles' client keys", text: "bootstrap.servers=10.0.0.102:9092,10.0.0.103:9092\nkey.serializer=x\nvalue.deserializer=y\n" +
			"group.id=test\nauto.offset.reset=earliest\nenable.auto.commit=true\nauto.commit.interval.ms=5000\nacks=1\nbatch.size=16384\nlinger.ms=5\n"},
		{name: "a typo", text: "linger.mss=5\n", warn: []string{`unknown client property "linger.mss": did you mean "linger.ms"? (ignored)`}},
		{name: "nobody knows it", text: "some.plugin.key=5\n", warn: []string{`unknown client property "some.plugin.key" (ignored)`}},
		{name: "not a number", text: "linger.ms=soon\n", err: "linger.ms=soon: is not a whole number"},
		{name: "acks", text: "acks=2\n", err: "acks=2: is none of 0, 1, all and -1"},
		{name: "acks against idempotence", text: "acks=1\nenable.idempotence=true\n", err: "needs acks=all"},
		{name: "idempotence off", text: "acks=0\nenable.idempotence=false\nmax.in.flight.requests.per.connection=1\n"},
		{name: "codec", text: "compression.type=lzma\n", err: "is not a codec"},
		{name: "isolation", text: "isolation.level=read_all\n", err: "is neither read_committed nor read_uncommitted"},
		{name: "protocol", text: "security.protocol=TLS\n", err: "security.protocol=TLS: is none of"},
		{name: "scram", text: "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config=x required username=\"u\" password=\"p\";\n"},
		{name: "no credentials", text: "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n", err: "needs sasl.mechanism and sasl.jaas.config"},
		{name: "kerberos", text: "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=GSSAPI\nsasl.jaas.config=x required username=\"u\" password=\"p\";\n", err: "sasl.mechanism=GSSAPI is not supported"},
		{name: "a Java key store", text: "security.protocol=SSL\nssl.truststore.location=/x/trust.jks\n", err: "this client reads PEM"},
		{name: "a store of another type", text: "security.protocol=SSL\nssl.keystore.location=/x/key.store\nssl.keystore.type=PKCS12\n", err: "not PKCS12"},
		{name: "a missing PEM file", text: "security.protocol=SSL\nssl.truststore.location=/x/trust.pem\n", err: "ssl.truststore.location"},
		{name: "no host", text: "bootstrap.servers=:9092\n", err: "has no host"},
		{name: "no port", text: "bootstrap.servers=h:kafka!\n", err: "is not a port"},
		{name: "every number at once", text: "max.block.ms=1\nconnections.max.idle.ms=-1\nmetadata.max.age.ms=0\nretry.backoff.ms=100\nrequest.timeout.ms=1500\n" +
			"buffer.memory=33554432\nretries=2147483647\ndelivery.timeout.ms=120000\nmax.request.size=1048576\nfetch.min.bytes=1\nfetch.max.wait.ms=500\nlinger.ms=9223372036854775807\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := ParseProperties([]byte(c.text), "f")
			if err != nil {
				t.Fatal(err)
			}
			cl, err := New(WithProperties(p))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			if got := strings.Join(cl.Warnings(), "\n"); got != strings.Join(c.warn, "\n") {
				t.Errorf("warnings %q", got)
			}
		})
	}
}

func TestKeysAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range keys() {
		if seen[k.name] {
			t.Errorf("%s stands twice in the table", k.name)
		}
		seen[k.name] = true
	}
}

func TestBrokersOnce(t *testing.T) {
	c, err := New(Brokers("h:9092, h:9092", "h", "PLAINTEXT://g:1", "[::1]:2", "::1"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := strings.Join(c.Brokers(), " "); got != "h:9092 g:1 [::1]:2 [::1]:9092" {
		t.Error(got)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"orders", "payments", "Orders"}
	for name, want := range map[string]string{"ordres": "orders", "order": "orders", "ORDERS": "", "x": "", "paymentss": "payments"} {
		if got := Nearest(name, names); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
