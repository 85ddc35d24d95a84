package replica

import (
	"strconv"
	"sync"

	"github.com/brokerd/brokerd/internal/conf"
	"github.com/brokerd/brokerd/internal/meta"
	"github.com/brokerd/brokerd/internal/step"
	"github.com/brokerd/brokerd/internal/storage"
)

// configs resolves topic settings. Most topics have none of their own: those
// share one parsed value.
type configs struct {
	mu      sync.Mutex
	plain   *conf.Topic // of a topic without settings of its own
	dynamic bool        // plain is current
}

// invalidate forgets the shared value: broker settings changed.
func (c *configs) invalidate() {
	c.mu.Lock()
	c.dynamic = false
	c.mu.Unlock()
}

// topicConf gives the effective settings of a topic. A value that this version
// cannot read (a newer controller let it in) is skipped by itself: one bad value
// never takes a topic's other settings with it (retention would delete by others).
func (m *Manager) topicConf(im *meta.Image, name string) *conf.Topic {
	own := im.Config(meta.Resource{Type: meta.TopicResource, Name: name})
	if len(own) == 0 {
		m.configs.mu.Lock()
		defer m.configs.mu.Unlock()
		if !m.configs.dynamic {
			m.configs.plain, m.configs.dynamic = m.resolve(im, name, nil), true
		}
		return m.configs.plain
	}
	return m.resolve(im, name, own)
}

func (m *Manager) resolve(im *meta.Image, name string, own map[string]string) *conf.Topic {
	d := m.dynamic(im)
	t, err := m.conf.Topic(d, own)
	if err != nil {
		m.log.Error("a setting cannot be read: by it nothing is deleted, and else its default holds; set it anew", "topic", name, "err", err)
	}
	return &t
}

// ConfigOf is the store's callback: the settings by which retention works on a
// log that nobody has opened since the start. Not before D5.
func (m *Manager) ConfigOf(id step.PartitionID) (storage.Config, bool) {
	select {
	case <-m.started:
	default:
		return storage.Config{}, false
	}
	im := m.catalog.Image()
	t, ok := im.Topic(id.Topic)
	if !ok {
		return storage.Config{}, false
	}
	return storageConfig(m.topicConf(im, t.Name)), true
}

// Cleaner is the store's callback: how compaction works by the settings of now.
func (m *Manager) Cleaner() storage.Cleaner {
	return storage.Cleaner(m.conf.Cleaner(m.dynamic(m.catalog.Image())))
}

func (m *Manager) dynamic(im *meta.Image) conf.Dynamic {
	return conf.Dynamic{
		PerBroker: im.Config(meta.Resource{Type: meta.BrokerResource, Name: strconv.Itoa(int(m.self))}),
		Cluster:   im.Config(meta.Resource{Type: meta.BrokerResource}),
	}
}

// storageConfig is the part of a topic's settings that its logs obey.
func storageConfig(t *conf.Topic) storage.Config {
	c := storage.Config{
		Durability:         storage.Fsync,
		SegmentBytes:       t.SegmentBytes,
		SegmentAge:         t.SegmentAge,
		SegmentJitter:      t.SegmentJitter,
		IndexIntervalBytes: int64(t.IndexIntervalBytes),
		SegmentIndexBytes:  t.SegmentIndexBytes,
		RetentionAge:       t.Retention,
		RetentionBytes:     t.RetentionBytes,
		Delete:             t.CleanupDelete,
		Compact:            t.CleanupCompact,
		MinDirtyRatio:      t.MinCleanableRatio,
		MinCompactionLag:   t.MinCompactionLag,
		MaxCompactionLag:   t.MaxCompactionLag,
		DeleteRetention:    t.DeleteRetention,
		FileDeleteDelay:    t.FileDeleteDelay,
		FlushMessages:      t.FlushMessages,
		FlushInterval:      t.FlushInterval,
		LogAppendTime:      t.LogAppendTime,
	}
	if t.DurabilityISR {
		c.Durability = storage.ISR
	}
	return c
}
