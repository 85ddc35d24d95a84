"""Adapter of aiokafka. Argument: bootstrap address."""
import asyncio
import sys
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, errors
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

import lines

BOOTSTRAP = sys.argv[1]
LARGEST = 64 << 20
PATIENCE = 60


def code(e):
    number = getattr(e, "errno", None)
    return number if isinstance(number, int) and number > 0 else 0


def raise_for(number, text=""):
    if number:
        raise errors.for_code(number)(text)


class Client:
    """Each operation is a coroutine, run to its end on one loop; between operations the loop stands still."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.admin = None
        self.producers = {}
        self.reader = None
        self.asker = None

    def __getattr__(self, op):
        method = getattr(type(self), "do_" + op)
        return lambda r: self.loop.run_until_complete(asyncio.wait_for(method(self, r), 2 * PATIENCE))

    async def adm(self):
        if self.admin is None:
            self.admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
            await self.admin.start()
        return self.admin

    async def do_create(self, r):
        got = await (await self.adm()).create_topics(
            [NewTopic(r["topic"], r["partitions"], r["replication"], topic_configs=r.get("configs", {}))])
        raise_for(got.topic_errors[0][1], got.topic_errors[0][2])

    async def do_list(self, r):
        return {"topics": await (await self.adm()).list_topics()}

    async def do_describe(self, r):
        topic = (await (await self.adm()).describe_topics([r["topic"]]))[0]
        raise_for(topic["error_code"])
        return {"layout": [{n: p[n] for n in ("partition", "leader", "replicas", "isr")} for p in topic["partitions"]]}

    async def do_delete(self, r):
        got = await (await self.adm()).delete_topics([r["topic"]])
        raise_for(got.topic_error_codes[0][1])

    async def do_grow(self, r):
        got = await (await self.adm()).create_partitions({r["topic"]: NewPartitions(r["partitions"])})
        raise_for(got.topic_errors[0][1], got.topic_errors[0][2])

    async def do_configs(self, r):
        got = await (await self.adm()).describe_configs([ConfigResource(ConfigResourceType.TOPIC, r["topic"])])
        error, message, _, _, entries = got[0].resources[0]
        raise_for(error, message)
        return {"config": {e[0]: e[1] for e in entries}}

    async def do_alter(self, r):
        got = await (await self.adm()).alter_configs([ConfigResource(ConfigResourceType.TOPIC, r["topic"], r["configs"])])
        raise_for(*got[0].resources[0][:2])

    async def do_trim(self, r):
        await (await self.adm()).delete_records({TopicPartition(r["topic"], r["partition"]): RecordsToDelete(r["offset"])})

    async def producer(self, r):
        key = (r["acks"], r["codec"], r.get("idempotent", False))
        if key not in self.producers:
            self.producers[key] = AIOKafkaProducer(
                bootstrap_servers=BOOTSTRAP, acks=r["acks"] if r["acks"] == "all" else int(r["acks"]), enable_idempotence=key[2],
                compression_type=None if r["codec"] == "none" else r["codec"], max_request_size=LARGEST,
                request_timeout_ms=PATIENCE * 1000)
            await self.producers[key].start()
        return self.producers[key]

    async def do_produce(self, r):
        producer = await self.producer(r)
        sent = [await producer.send(r["topic"], key=x["key"], value=x["value"], partition=x["partition"],
                                    timestamp_ms=x["timestamp"] or None, headers=x["headers"]) for x in r["records"]]
        reports = await asyncio.gather(*sent)
        return {"offsets": [m.offset for m in reports]} if r["acks"] != "0" else {}

    async def consumer(self):
        c = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, enable_auto_commit=False, auto_offset_reset="none",
                             max_partition_fetch_bytes=LARGEST, fetch_max_bytes=LARGEST)
        await c.start()
        return c

    async def do_offset(self, r):
        if self.asker is None:
            self.asker = await self.consumer()
        at, tp = r["at"], TopicPartition(r["topic"], r["at"]["partition"])
        if at["at"] == "start":
            return {"offset": (await self.asker.beginning_offsets([tp]))[tp]}
        if at["at"] == "end":
            return {"offset": (await self.asker.end_offsets([tp]))[tp]}
        return {"offset": (await self.asker.offsets_for_times({tp: at["n"]}))[tp].offset}

    async def do_open(self, r):
        self.reader = await self.consumer()
        parts = {TopicPartition(r["topic"], p["partition"]): p for p in r["from"]}
        self.reader.assign(list(parts))
        for tp, p in parts.items():
            at = p["n"] if p["at"] == "offset" else (await self.do_offset({"topic": r["topic"], "at": p}))["offset"]
            self.reader.seek(tp, at)

    async def do_poll(self, r):
        got, deadline = [], time.time() + r["timeout"] / 1000
        while len(got) < r["count"] and time.time() < deadline:
            for records in (await self.reader.getmany(timeout_ms=200)).values():
                got += [lines.record(x.partition, x.offset, x.timestamp, x.key, x.value, x.headers) for x in records]
        return {"records": got}

    async def do_close(self, r):
        await self.reader.stop()

    async def do_join(self, r):
        self.reader = AIOKafkaConsumer(
            r["topic"], bootstrap_servers=BOOTSTRAP, group_id=r["group"], client_id=r["client"], enable_auto_commit=False,
            auto_offset_reset=r["reset"], session_timeout_ms=r["session"], heartbeat_interval_ms=r["heartbeat"],
            group_instance_id=r.get("instance"))
        await self.reader.start()

    async def do_commit(self, r):
        if r["mode"] == "sync":
            await self.reader.commit()
            return
        done = self.loop.create_future()
        asyncio.ensure_future(self.reader.commit()).add_done_callback(done.set_result)
        (await done).result()

    async def do_seek(self, r):
        self.reader.seek(TopicPartition(r["topic"], r["partition"]), r["offset"])

    async def do_pause(self, r):
        self.reader.pause(TopicPartition(r["topic"], r["partition"]))

    async def do_resume(self, r):
        self.reader.resume(TopicPartition(r["topic"], r["partition"]))

    async def do_committed(self, r):
        tp = TopicPartition(r["topic"], r["partition"])
        found = await (await self.adm()).list_consumer_group_offsets(r["group"], partitions=[tp])
        return {"offset": found[tp].offset}

    async def do_groups(self, r):
        return {"groups": dict(await (await self.adm()).list_consumer_groups())}


lines.serve(Client(), code)
