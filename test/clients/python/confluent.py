"""Adapter of confluent-kafka, old and new. Argument: bootstrap address."""
import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

import lines

BOOTSTRAP = sys.argv[1]
LARGEST = 64 << 20
PATIENCE = 60


def code(e):
    number = e.args[0].code() if isinstance(e, KafkaException) else 0
    return max(number, 0)  # below 0 are librdkafka's own


def wait(futures):
    """The result of the only future."""
    return next(iter(futures.values())).result(PATIENCE)


def resource(topic, **kw):
    return ConfigResource(ConfigResource.Type.TOPIC, topic, **kw)


class Client:
    def __init__(self):
        self.admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
        self.producers = {}
        self.reader = None
        self.asker = None
        self.reported = []  # of commits

    def create(self, r):
        wait(self.admin.create_topics([NewTopic(r["topic"], r["partitions"], r["replication"], config=r.get("configs", {}))], operation_timeout=PATIENCE))

    def list(self, r):
        return {"topics": list(self.admin.list_topics(timeout=PATIENCE).topics)}

    def describe(self, r):
        if hasattr(self.admin, "describe_topics"):
            got = wait(self.admin.describe_topics(confluent_kafka.TopicCollection([r["topic"]])))
            ids = lambda nodes: [n.id for n in nodes]
            return {"layout": [{"partition": p.id, "leader": p.leader.id, "replicas": ids(p.replicas), "isr": ids(p.isr)}
                               for p in got.partitions]}
        topic = self.admin.list_topics(r["topic"], timeout=PATIENCE).topics[r["topic"]]
        if topic.error:
            raise KafkaException(topic.error)
        return {"layout": [{"partition": p.id, "leader": p.leader, "replicas": p.replicas, "isr": p.isrs}
                           for p in topic.partitions.values()]}

    def delete(self, r):
        wait(self.admin.delete_topics([r["topic"]], operation_timeout=PATIENCE))

    def grow(self, r):
        wait(self.admin.create_partitions([NewPartitions(r["topic"], r["partitions"])], operation_timeout=PATIENCE))

    def configs(self, r):
        return {"config": {k: e.value for k, e in wait(self.admin.describe_configs([resource(r["topic"])])).items()}}

    def alter(self, r):
        if hasattr(self.admin, "incremental_alter_configs"):
            from confluent_kafka.admin import AlterConfigOpType, ConfigEntry
            entries = [ConfigEntry(k, v, incremental_operation=AlterConfigOpType.SET) for k, v in r["configs"].items()]
            wait(self.admin.incremental_alter_configs([resource(r["topic"], incremental_configs=entries)]))
        else:
            wait(self.admin.alter_configs([resource(r["topic"], set_config=r["configs"])]))

    def trim(self, r):
        wait(self.admin.delete_records([TopicPartition(r["topic"], r["partition"], r["offset"])]))

    def producer(self, r):
        key = (r["acks"], r["codec"], r.get("idempotent", False))
        if key not in self.producers:
            self.producers[key] = Producer({
                "bootstrap.servers": BOOTSTRAP, "acks": r["acks"], "compression.type": r["codec"], "enable.idempotence": key[2],
                "message.max.bytes": LARGEST, "message.timeout.ms": PATIENCE * 1000, "linger.ms": 5})
        return self.producers[key]

    def produce(self, r):
        producer, reports = self.producer(r), {}

        def delivered(i):
            return lambda error, message: reports.__setitem__(i, (error, message))
        for i, x in enumerate(r["records"]):
            more = {"timestamp": x["timestamp"]} if x["timestamp"] else {}
            producer.produce(r["topic"], key=x["key"], value=x["value"], partition=x["partition"], headers=x["headers"],
                             on_delivery=delivered(i), **more)
        producer.flush(2 * PATIENCE)
        for error, _ in reports.values():
            if error:
                raise KafkaException(error)
        offsets = [reports[i][1].offset() for i in range(len(r["records"]))]
        return {"offsets": offsets} if r["acks"] != "0" else {}

    def consumer(self):
        return Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "unused", "enable.auto.commit": False, "check.crcs": True,
                         "auto.offset.reset": "error", "fetch.message.max.bytes": LARGEST, "fetch.max.bytes": 2 * LARGEST,
                         "receive.message.max.bytes": 2 * LARGEST + 1024})

    def offset(self, r):
        if self.asker is None:
            self.asker = self.consumer()
        at, tp = r["at"], TopicPartition(r["topic"], r["at"]["partition"])
        if at["at"] == "time":
            tp.offset = at["n"]
            found = self.asker.offsets_for_times([tp], timeout=PATIENCE)[0]
            if found.error:
                raise KafkaException(found.error)
            return {"offset": found.offset}
        low, high = self.asker.get_watermark_offsets(tp, timeout=PATIENCE)
        return {"offset": low if at["at"] == "start" else high}

    def open(self, r):
        self.reader = self.consumer()
        at = []
        for p in r["from"]:
            if p["at"] == "start":
                n = confluent_kafka.OFFSET_BEGINNING
            elif p["at"] == "offset":
                n = p["n"]
            else:
                n = self.offset({"topic": r["topic"], "at": p})["offset"]
            at.append(TopicPartition(r["topic"], p["partition"], n))
        self.reader.assign(at)

    def poll(self, r):
        got, deadline = [], time.time() + r["timeout"] / 1000
        while len(got) < r["count"] and time.time() < deadline:
            for m in self.reader.consume(r["count"] - len(got), 0.2):
                if m.error():
                    # The others below 0 are librdkafka's news, as a broker that is down.
                    if m.error().code() > 0 or m.error().code() == KafkaError._AUTO_OFFSET_RESET:
                        raise KafkaException(m.error())
                    continue
                got.append(lines.record(m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value(), m.headers()))
        return {"records": got}

    def close(self, r):
        self.reader.close()

    def join(self, r):
        config = {"bootstrap.servers": BOOTSTRAP, "group.id": r["group"], "client.id": r["client"], "enable.auto.commit": False,
                  "auto.offset.reset": "error" if r["reset"] == "none" else r["reset"],
                  "on_commit": lambda error, partitions: self.reported.append(error)}
        if "instance" in r:
            config["group.instance.id"] = r["instance"]
        if "consumer" in r:
            config["group.protocol"] = "consumer"  # then the broker says how long a session is
        else:
            config.update({"session.timeout.ms": r["session"], "heartbeat.interval.ms": r["heartbeat"],
                           "partition.assignment.strategy": "cooperative-sticky" if "cooperative" in r else "range"})
        self.reader = Consumer(config)
        self.reader.subscribe([r["topic"]])

    def commit(self, r):
        if r["mode"] == "sync":
            self.reader.commit(asynchronous=False)
            return
        del self.reported[:]
        self.reader.commit(asynchronous=True)
        deadline = time.time() + PATIENCE
        while not self.reported and time.time() < deadline:
            self.reader.poll(0.05)
        if not self.reported or self.reported[0]:
            raise KafkaException(self.reported[0]) if self.reported else TimeoutError("no callback")

    def seek(self, r):
        self.reader.seek(TopicPartition(r["topic"], r["partition"], r["offset"]))

    def pause(self, r):
        self.reader.pause([TopicPartition(r["topic"], r["partition"])])

    def resume(self, r):
        self.reader.resume([TopicPartition(r["topic"], r["partition"])])

    def committed(self, r):
        c = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": r["group"]})
        offset = c.committed([TopicPartition(r["topic"], r["partition"])], timeout=PATIENCE)[0].offset
        c.close()
        return {"offset": max(offset, -1)}  # none is librdkafka's -1001

    def groups(self, r):
        return {"groups": {g.id: g.protocol_type for g in self.admin.list_groups(timeout=PATIENCE)}}


lines.serve(Client(), code)
