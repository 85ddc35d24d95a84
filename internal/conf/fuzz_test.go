package conf

import (
	"strings"
	"testing"
)

// Whatever a file and the environment hold, a load ends in a report, never shows
// a password, and without an error the broker is usable.
func FuzzLoad(f *testing.F) {
	f.Add("process.roles=broker,controller\nnode.id=2\ncontroller.quorum.voters=1@a:9093,2@b:9093\nlisteners=PLAINTEXT://:9092,CONTROLLER://:9093", "KAFKA_NODE_ID=2", false)
	f.Add("broker.id=0\nlisteners=PLAINTEXT://192.168.140.10:9092\nzookeeper.connect=a:2181,b:2181", "CLUSTER_ID=x", false)
	f.Add("log:\n  dirs: [/a]\nnode.id: 1\n", "BROKERD_NUM_PARTITIONS=3", true)
	f.Add("listeners=A://:1,B://:2\nlistener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT\nssl.key.password=s3cret-s3cret", "KAFKA_ADVERTISED_LISTENERS=A://h:1", false)
	f.Add("max.connections.per.ip.overrides=::1:5,x\nlog.retention.hours=-1", "KAFKA_CFG_LOG_ROLL_HOURS=5", false)
	f.Fuzz(func(t *testing.T, text, env string, yaml bool) {
		name := "f.properties"
		if yaml {
			name = "f.yaml"
		}
		src := Sources{
			Files:    []string{name},
			Env:      []string{env},
			Root:     func() bool { return true },
			Hostname: func() (string, error) { return "box", nil },
			ReadFile: func(string) ([]byte, error) { return []byte(text), nil },
		}
		b, report := Load(src)
		for _, p := range report.Problems {
			if s := b.values["ssl.key.password"].value; len(s) > 8 && strings.Contains(p.String(), s) && p.Key == "ssl.key.password" {
				t.Fatalf("a password is shown: %s", p)
			}
		}
		if report.Err() != nil {
			return
		}
		if b.HasRole("broker") && (len(b.Listeners) == 0 || len(b.Advertised) == 0 || b.InterBroker == "") {
			t.Fatalf("listeners %v advertised %v between brokers %q", b.Listeners, b.Advertised, b.InterBroker)
		}
		if b.NodeID < 0 || len(b.LogDirs) == 0 || b.NumPartitions < 1 {
			t.Fatalf("node %d, data %v, partitions %d", b.NodeID, b.LogDirs, b.NumPartitions)
		}
		if _, err := b.Topic(Dynamic{}, nil); err != nil {
			t.Fatalf("topic: %v", err)
		}
		b.DescribeBroker(Dynamic{})
		b.DescribeTopic(Dynamic{}, nil, 1)
	})
}
