"""Adapter of kafka-python 1.3.5, 2.0.2 and 3. Argument: bootstrap address."""
import re
import sys
import time

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

import lines

BOOTSTRAP = sys.argv[1]
MAJOR = int(kafka.__version__.split(".")[0])
LARGEST = 64 << 20
PATIENCE = 60


def code(e):
    number = getattr(e, "errno", None)
    return number if isinstance(number, int) and number > 0 else 0


def raise_for(number, text=""):
    from kafka import errors
    if number:
        raise errors.for_code(number)(text)


class Client:
    def __init__(self):
        self.producers = {}
        self.reader = None
        self.asker = None
        self._admin = None

    def admin(self):
        if self._admin is None:
            from kafka.admin import KafkaAdminClient
            self._admin = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)
        return self._admin

    # topics

    def create(self, r):
        from kafka.admin import NewTopic
        self.admin().create_topics([NewTopic(r["topic"], r["partitions"], r["replication"], topic_configs=r.get("configs", {}))])

    def list(self, r):
        if MAJOR < 2:
            return {"topics": sorted(self.consumer().topics())}
        return {"topics": self.admin().list_topics()}

    def describe(self, r):
        topic = self.admin().describe_topics([r["topic"]])[0]
        raise_for(topic["error_code"])
        names = ("partition", "leader", "replicas", "isr") if MAJOR == 2 else ("partition_index", "leader_id", "replica_nodes", "isr_nodes")
        return {"layout": [dict(zip(("partition", "leader", "replicas", "isr"), [p[n] for n in names])) for p in topic["partitions"]]}

    def delete(self, r):
        self.admin().delete_topics([r["topic"]])

    def grow(self, r):
        from kafka.admin import NewPartitions
        self.admin().create_partitions({r["topic"]: NewPartitions(r["partitions"])})

    def resource(self, r, configs=None):
        from kafka.admin import ConfigResource, ConfigResourceType
        return ConfigResource(ConfigResourceType.TOPIC, r["topic"], configs=configs)

    def configs(self, r):
        if MAJOR > 2:
            got = self.admin().describe_configs([self.resource(r)], config_filter="all")["topic"][r["topic"]]
            return {"config": {k: v["value"] for k, v in got.items()}}
        error, message, _, _, entries = self.admin().describe_configs([self.resource(r)])[0].resources[0]
        raise_for(error, message)
        return {"config": {e[0]: e[1] for e in entries}}

    def alter(self, r):
        got = self.admin().alter_configs([self.resource(r, r["configs"])])
        if MAJOR > 2:
            result = got["topic"][r["topic"]]  # "OK" or the text of an error
            if result != "OK":
                raise_for(int(re.search(r"Error (\d+)", result).group(1)), result)
            return
        error, message = got.resources[0][:2]
        raise_for(error, message)

    def trim(self, r):
        self.admin().delete_records({TopicPartition(r["topic"], r["partition"]): r["offset"]})

    # producing

    def producer(self, r):
        key = (r["acks"], r["codec"], r.get("idempotent", False))
        if key not in self.producers:
            more = {"enable_idempotence": key[2]} if MAJOR > 2 else {"buffer_memory": 2 * LARGEST}
            self.producers[key] = KafkaProducer(
                bootstrap_servers=BOOTSTRAP, acks=r["acks"] if r["acks"] == "all" else int(r["acks"]), retries=20, linger_ms=5,
                compression_type=None if r["codec"] == "none" else r["codec"], max_request_size=LARGEST, **more)
        return self.producers[key]

    def produce(self, r):
        producer = self.producer(r)
        sent = []
        for x in r["records"]:
            more = {"headers": x["headers"]} if x["headers"] else {}
            sent.append(producer.send(r["topic"], key=x["key"], value=x["value"], partition=x["partition"],
                                      timestamp_ms=x["timestamp"] or None, **more))
        producer.flush(PATIENCE)
        return {"offsets": [s.get(PATIENCE).offset for s in sent]}

    # reading

    def consumer(self):
        return KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=None, enable_auto_commit=False, auto_offset_reset="none",
                             max_partition_fetch_bytes=LARGEST, fetch_max_bytes=LARGEST)

    def offset(self, r):
        if self.asker is None:
            self.asker = self.consumer()
        at, tp = r["at"], TopicPartition(r["topic"], r["at"]["partition"])
        if at["at"] == "start":
            return {"offset": self.asker.beginning_offsets([tp])[tp]}
        if at["at"] == "end":
            return {"offset": self.asker.end_offsets([tp])[tp]}
        return {"offset": self.asker.offsets_for_times({tp: at["n"]})[tp].offset}

    def open(self, r):
        self.reader = self.consumer()
        parts = {TopicPartition(r["topic"], p["partition"]): p for p in r["from"]}
        self.reader.assign(list(parts))
        for tp, p in parts.items():
            self.reader.seek(tp, p["n"] if p["at"] == "offset" else self.offset({"topic": r["topic"], "at": p})["offset"])

    def poll(self, r):
        got, deadline = [], time.time() + r["timeout"] / 1000
        while len(got) < r["count"] and time.time() < deadline:
            for records in self.reader.poll(timeout_ms=200).values():
                got += [lines.record(x.partition, x.offset, x.timestamp, x.key, x.value, getattr(x, "headers", ())) for x in records]
        return {"records": got}

    def close(self, r):
        self.reader.close()

    # groups

    def join(self, r):
        more = {"group_instance_id": r["instance"]} if "instance" in r else {}
        if "cooperative" in r:
            from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
            more["partition_assignment_strategy"] = [CooperativeStickyAssignor]
        self.reader = KafkaConsumer(
            r["topic"], bootstrap_servers=BOOTSTRAP, group_id=r["group"], client_id=r["client"], enable_auto_commit=False,
            auto_offset_reset=r["reset"], session_timeout_ms=r["session"], heartbeat_interval_ms=r["heartbeat"], **more)

    def commit(self, r):
        if r["mode"] == "sync":
            return self.reader.commit()
        done = []
        self.reader.commit_async(callback=lambda offsets, result: done.append(result))
        deadline = time.time() + PATIENCE
        while not done and time.time() < deadline:
            self.reader.poll(timeout_ms=50)
        if not done or isinstance(done[0], Exception):
            raise done[0] if done else TimeoutError("no callback")

    def seek(self, r):
        self.reader.seek(TopicPartition(r["topic"], r["partition"]), r["offset"])

    def pause(self, r):
        self.reader.pause(TopicPartition(r["topic"], r["partition"]))

    def resume(self, r):
        self.reader.resume(TopicPartition(r["topic"], r["partition"]))

    def committed(self, r):
        """As lag programs do: a consumer of the group and the topic that never polls."""
        c = KafkaConsumer(r["topic"], bootstrap_servers=BOOTSTRAP, group_id=r["group"], enable_auto_commit=False)
        offset = c.committed(TopicPartition(r["topic"], r["partition"]))
        c.close()
        return {"offset": -1 if offset is None else offset}

    def groups(self, r):
        self._admin = None  # an old one does not try again where its connection has ended
        if MAJOR > 2:
            return {"groups": {g["group_id"]: g["protocol_type"] for g in self.admin().list_groups()}}
        return {"groups": dict(self.admin().list_consumer_groups())}


lines.serve(Client(), code)
