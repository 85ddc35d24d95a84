"""Cases for kafka-python (article S1 uses 2.0.2). Argument: bootstrap address."""
import sys, time, traceback
import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError

BOOTSTRAP = sys.argv[1]
PARTITIONS, RECORDS = 3, 30
failed = False


def case(name, body):
    global failed
    try:
        body()
        print("ok", name, flush=True)
    except Exception as e:  # every failure is a line, and the next case runs
        failed = True
        print("FAIL %s: %s" % (name, "".join(traceback.format_exception_only(type(e), e)).strip()), flush=True)
        traceback.print_exc()


def read(topic, count, seek=None, timeout=10):
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP, consumer_timeout_ms=timeout * 1000)
    parts = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(parts)
    if seek is None:
        consumer.seek_to_beginning()
    else:
        seek(consumer, parts)
    got, deadline = [], time.time() + timeout
    while len(got) < count and time.time() < deadline:
        for records in consumer.poll(timeout_ms=200).values():
            got += records
    consumer.close()
    return got


def admin():
    return KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def create(topic, partitions=PARTITIONS):
    a = admin()
    a.create_topics([NewTopic(topic, partitions, 1)])
    assert topic in a.list_topics(), "a created topic is not listed"
    a.close()


def topics():
    a = admin()
    a.create_topics([NewTopic("py-admin", 6, 1)])
    assert "py-admin" in a.list_topics()
    try:
        a.create_topics([NewTopic("py-admin", 6, 1)])
        raise AssertionError("second creation was accepted")
    except TopicAlreadyExistsError:
        pass
    a.delete_topics(["py-admin"])
    assert "py-admin" not in a.list_topics(), "a deleted topic is listed"
    a.close()


def topic_config():
    create("py-config", 1)
    a = admin()
    dump = a.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "py-config")])
    names = {entry[0] for response in dump for r in response.resources for entry in r[4]}
    wanted = {"retention.ms", "cleanup.policy", "message.format.version", "message.downconversion.enable",
              "message.timestamp.difference.max.ms", "min.insync.replicas", "segment.bytes"}
    assert wanted <= names, "missing %s" % (wanted - names)
    a.close()


def produce(codec, acks):
    topic = "py-%s-%s" % (codec, acks)
    create(topic)
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, acks=acks, compression_type=None if codec == "none" else codec, linger_ms=5)
    base = int(time.time() * 1000)
    futures = [producer.send(topic, key=b"k%d" % i, value=b"v%d" % i * 20, partition=i % PARTITIONS,
                             headers=[("h", b"x%d" % i)], timestamp_ms=base + i) for i in range(RECORDS)]
    producer.flush(10)
    if acks != 0:
        offsets = sorted((f.get(10).partition, f.get(10).offset) for f in futures)
        assert offsets == [(p, o) for p in range(PARTITIONS) for o in range(RECORDS // PARTITIONS)], offsets
    producer.close()
    got = read(topic, RECORDS)
    assert sorted(r.value for r in got) == sorted(b"v%d" % i * 20 for i in range(RECORDS)), "%d records" % len(got)
    assert all(r.headers == [("h", b"x" + r.key[1:])] for r in got), "headers differ"
    tail = read(topic, PARTITIONS * 3, lambda c, parts: [c.seek(p, 7) for p in parts])
    assert sorted({r.offset for r in tail}) == [7, 8, 9], "from an offset: %s" % sorted({r.offset for r in tail})

    def by_time(consumer, parts):
        found = consumer.offsets_for_times({p: base + 15 for p in parts})
        for p, at in found.items():
            assert at.timestamp >= base + 15
            consumer.seek(p, at.offset)
    late = read(topic, 15, by_time)
    assert sorted(r.timestamp - base for r in late) == list(range(15, 30)), "from a timestamp"


def null_value():
    create("py-null", 1)
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, acks="all")
    producer.send("py-null", key=b"gone", value=None).get(10)
    producer.send("py-null", value=b"").get(10)
    producer.close()
    got = read("py-null", 2)
    assert [(r.key, r.value) for r in got] == [(b"gone", None), (None, b"")], got


def end_offsets():
    consumer = KafkaConsumer(bootstrap_servers=BOOTSTRAP)
    parts = [TopicPartition("py-none-1", p) for p in range(PARTITIONS)]
    assert consumer.end_offsets(parts) == {p: RECORDS // PARTITIONS for p in parts}
    assert consumer.beginning_offsets(parts) == {p: 0 for p in parts}
    consumer.close()


def auto_create():
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP)
    assert producer.send("py-auto", b"hello").get(10).offset == 0
    producer.close()
    assert [r.value for r in read("py-auto", 1)] == [b"hello"]


print("client kafka-python", kafka.__version__)
case("topics", topics)
case("topic-config", topic_config)
for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
    for acks in (0, 1, "all"):
        case("produce-%s-acks-%s" % (codec, acks), lambda: produce(codec, acks))
case("null-value", null_value)
case("end-offsets", end_offsets)
case("auto-create", auto_create)
sys.exit(failed)
