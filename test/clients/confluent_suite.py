"""Cases for confluent-kafka (librdkafka). Argument: bootstrap address."""
import sys, time, traceback
import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

BOOTSTRAP = sys.argv[1]
PARTITIONS, RECORDS = 3, 30
failed = False


def case(name, body):
    global failed
    try:
        body()
        print("ok", name, flush=True)
    except Exception as e:
        failed = True
        print("FAIL %s: %s" % (name, "".join(traceback.format_exception_only(type(e), e)).strip()), flush=True)
        traceback.print_exc()


admin = AdminClient({"bootstrap.servers": BOOTSTRAP})


def wait(futures):
    return {k: f.result(15) for k, f in futures.items()}


def create(topic, partitions=PARTITIONS):
    wait(admin.create_topics([NewTopic(topic, partitions, 1)]))
    assert topic in admin.list_topics(timeout=10).topics


def topics():
    create("rd-admin", 2)
    try:
        wait(admin.create_topics([NewTopic("rd-admin", 2, 1)]))
        raise AssertionError("second creation was accepted")
    except KafkaException as e:
        assert e.args[0].name() == "TOPIC_ALREADY_EXISTS", e
    wait(admin.create_partitions([confluent_kafka.admin.NewPartitions("rd-admin", 5)]))
    assert len(admin.list_topics(timeout=10).topics["rd-admin"].partitions) == 5
    resource = ConfigResource(ResourceType.TOPIC, "rd-admin")
    config = wait(admin.describe_configs([resource]))[resource]
    assert config["retention.ms"].value == "604800000", config["retention.ms"].value
    wait(admin.delete_topics(["rd-admin"]))
    assert "rd-admin" not in admin.list_topics(timeout=10).topics
    assert admin.describe_cluster().result(10).cluster_id


def read(topic, count, starts, timeout=10):
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "unused", "enable.auto.commit": False,
                         "check.crcs": True, "auto.offset.reset": "error"})
    consumer.assign([TopicPartition(topic, p, o) for p, o in starts.items()])
    got, deadline = [], time.time() + timeout
    while len(got) < count and time.time() < deadline:
        for m in consumer.consume(100, 0.2):
            if m.error():
                raise KafkaException(m.error())
            got.append(m)
    consumer.close()
    return got


def produce(codec, acks, idempotent=False):
    topic = "rd-%s-%s%s" % (codec, acks, "-idem" if idempotent else "")
    create(topic)
    conf = {"bootstrap.servers": BOOTSTRAP, "compression.type": codec, "linger.ms": 5}
    conf.update({"enable.idempotence": True} if idempotent else {"acks": acks})
    producer, reports, base = Producer(conf), [], int(time.time() * 1000)
    for i in range(RECORDS):
        producer.produce(topic, key=b"k%d" % i, value=b"v%d" % i * 20, partition=i % PARTITIONS, timestamp=base + i,
                         headers=[("h", b"x%d" % i)], on_delivery=lambda err, m: reports.append((err, m.partition(), m.offset())))
    assert producer.flush(15) == 0
    assert len(reports) == RECORDS and not any(err for err, _, _ in reports), reports
    if acks != 0:
        assert sorted((p, o) for _, p, o in reports) == [(p, o) for p in range(PARTITIONS) for o in range(RECORDS // PARTITIONS)]
    got = read(topic, RECORDS, {p: confluent_kafka.OFFSET_BEGINNING for p in range(PARTITIONS)})
    assert sorted(m.value() for m in got) == sorted(b"v%d" % i * 20 for i in range(RECORDS)), len(got)
    assert all(m.headers() == [("h", b"x" + m.key()[1:])] for m in got)
    assert sorted({m.offset() for m in read(topic, 9, {p: 7 for p in range(PARTITIONS)})}) == [7, 8, 9]
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "unused"})
    found = consumer.offsets_for_times([TopicPartition(topic, p, base + 15) for p in range(PARTITIONS)], timeout=10)
    low_high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    consumer.close()
    assert low_high == (0, RECORDS // PARTITIONS), low_high
    late = read(topic, 15, {tp.partition: tp.offset for tp in found})
    assert sorted(m.timestamp()[1] - base for m in late) == list(range(15, 30))


def too_large():
    create("rd-large", 1)
    errors = []
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "message.max.bytes": 5000000})
    producer.produce("rd-large", b"x" * 3000000, on_delivery=lambda err, m: errors.append(err))
    producer.flush(15)
    assert len(errors) == 1 and errors[0] is not None and errors[0].name() == "MSG_SIZE_TOO_LARGE", errors
    producer.produce("rd-large", b"fits", on_delivery=lambda err, m: errors.append(err))
    producer.flush(15)
    assert errors[1] is None, errors


print("client confluent-kafka", confluent_kafka.version(), "librdkafka", confluent_kafka.libversion()[0])
case("topics", topics)
for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
    for acks in (0, 1, "all"):
        case("produce-%s-acks-%s" % (codec, acks), lambda: produce(codec, acks))
    case("produce-%s-idempotent" % codec, lambda: produce(codec, "all", True))
case("too-large", too_large)
sys.exit(failed)
