// Adapter of kafkajs. Argument: bootstrap address.
import kafkajs from 'kafkajs'
import snappy from 'kafkajs-snappy'
import lz4 from 'lz4-napi'
import { ZstdCodec } from 'zstd-codec'
import { bytes, text, sleep, serve, offsetsOf, patience } from './lines.js'

const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = kafkajs
const zstd = await new Promise(resolve => ZstdCodec.run(z => resolve(new z.Simple())))
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer))
})
const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }

const base = { brokers: [process.argv[2]], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 8 } }
const kafka = new Kafka(base)
const admin = kafka.admin()
await admin.connect()
const producers = new Map()
let consumer
let kept = []
let subscribed
let polled = new Map() // by a member: where each partition goes on

// code looks for Kafka's number in an error, what it wraps and what it collects.
function code (error) {
  if (!error) return 0
  if (typeof error.code === 'number') return error.code
  for (const inner of error.errors ?? []) if (code(inner)) return code(inner)
  return code(error.cause) || code(error.originalError)
}

async function producer (r) {
  const key = String(r.idempotent)
  if (!producers.has(key)) {
    const p = kafka.producer({ allowAutoTopicCreation: true, idempotent: !!r.idempotent, createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await p.connect()
    producers.set(key, p)
  }
  return producers.get(key)
}

function headersOf (headers = []) {
  const all = {}
  for (const h of headers) {
    const value = bytes(h.value)
    all[h.key] = h.key in all ? [all[h.key], value].flat() : value
  }
  return all
}

const resource = topic => ({ type: ConfigResourceTypes.TOPIC, name: topic })

async function offset ({ topic, at }) {
  if (at.at === 'time') {
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, at.n)
    return { offset: Number(found.find(p => p.partition === at.partition).offset) }
  }
  const p = (await admin.fetchTopicOffsets(topic)).find(p => p.partition === at.partition)
  return { offset: Number(at.at === 'start' ? p.low : p.high) }
}

await serve({
  async create (r) {
    const configEntries = Object.entries(r.configs ?? {}).map(([name, value]) => ({ name, value }))
    const made = await admin.createTopics({ topics: [{ topic: r.topic, numPartitions: r.partitions, replicationFactor: r.replication, configEntries }] })
    if (!made) throw Object.assign(new Error('the topic exists'), { code: 36 }) // its way to say so
  },
  async list () {
    return { topics: await admin.listTopics() }
  },
  async describe (r) {
    const { topics } = await admin.fetchTopicMetadata({ topics: [r.topic] })
    return { layout: topics[0].partitions.map(p => ({ partition: p.partitionId, leader: p.leader, replicas: p.replicas, isr: p.isr })) }
  },
  async delete (r) {
    await admin.deleteTopics({ topics: [r.topic] })
  },
  async grow (r) {
    await admin.createPartitions({ topicPartitions: [{ topic: r.topic, count: r.partitions }] })
  },
  async configs (r) {
    const { resources } = await admin.describeConfigs({ resources: [resource(r.topic)], includeSynonyms: false })
    return { config: Object.fromEntries(resources[0].configEntries.map(e => [e.configName, e.configValue])) }
  },
  async alter (r) {
    const configEntries = Object.entries(r.configs).map(([name, value]) => ({ name, value }))
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource(r.topic), configEntries }] })
  },
  async trim (r) {
    await admin.fetchTopicOffsets(r.topic) // it finds no leader of a topic that it has not met
    await admin.deleteTopicRecords({ topic: r.topic, partitions: [{ partition: r.partition, offset: String(r.offset) }] })
  },
  async produce (r) {
    const messages = r.records.map(x => ({
      partition: x.partition,
      key: bytes(x.key),
      value: bytes(x.value),
      headers: headersOf(x.headers),
      ...(x.timestamp ? { timestamp: String(x.timestamp) } : {})
    }))
    const acks = { 0: 0, 1: 1, all: -1 }[r.acks]
    const sent = await (await producer(r)).send({ topic: r.topic, acks, compression: codecs[r.codec], messages })
    if (acks === 0) return
    return { offsets: offsetsOf(r.records, sent.map(p => [p.partition, Number(p.baseOffset)])) }
  },
  offset,
  // open joins a group of its own, for kafkajs reads in no other way, and seeks.
  async open (r) {
    const from = []
    for (const p of r.from) from.push([p.partition, p.at === 'offset' ? p.n : (await offset({ topic: r.topic, at: p })).offset])
    kept = []
    consumer = kafka.consumer({ groupId: `group-${r.topic}`, maxBytes: 64 << 20, maxBytesPerPartition: 64 << 20, maxWaitTimeInMs: 200, retry: { retries: 20 } })
    await consumer.connect()
    await consumer.subscribe({ topics: [r.topic], fromBeginning: true })
    const joined = new Promise(resolve => consumer.on(consumer.events.GROUP_JOIN, resolve))
    const wanted = new Map(from)
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        if (Number(message.offset) >= wanted.get(partition)) kept.push({ partition, message })
      }
    })
    await Promise.race([joined, sleep(patience)])
    for (const [partition, at] of from) consumer.seek({ topic: r.topic, partition, offset: String(at) })
  },
  async poll (r) {
    const end = Date.now() + r.timeout
    while (kept.length < r.count && Date.now() < end) await sleep(20)
    const given = kept.splice(0, r.count)
    for (const { partition, message } of given) polled.set(partition, Number(message.offset) + 1)
    return {
      records: given.map(({ partition, message: m }) => ({
        partition,
        offset: Number(m.offset),
        timestamp: Number(m.timestamp),
        key: text(m.key),
        value: text(m.value),
        headers: Object.entries(m.headers ?? {}).flatMap(([key, v]) => [v].flat().map(value => ({ key, value: text(value) })))
      }))
    }
  },
  async close () {
    await consumer.disconnect()
  },
  async join (r) {
    kept = []
    polled = new Map()
    subscribed = r.topic
    consumer = new Kafka({ ...base, clientId: r.client }).consumer({ groupId: r.group, sessionTimeout: r.session, heartbeatInterval: r.heartbeat, maxWaitTimeInMs: 200 })
    await consumer.connect()
    await consumer.subscribe({ topics: [r.topic], fromBeginning: r.reset === 'earliest' })
    await consumer.run({ autoCommit: false, eachMessage: async ({ partition, message }) => { kept.push({ partition, message }) } })
  },
  async commit () {
    await consumer.commitOffsets([...polled].map(([partition, offset]) => ({ topic: subscribed, partition, offset: String(offset) })))
    polled.clear()
  },
  async seek (r) {
    consumer.seek({ topic: r.topic, partition: r.partition, offset: String(r.offset) })
  },
  async pause (r) {
    consumer.pause([{ topic: r.topic, partitions: [r.partition] }])
  },
  async resume (r) {
    consumer.resume([{ topic: r.topic, partitions: [r.partition] }])
  },
  async committed (r) {
    const found = await admin.fetchOffsets({ groupId: r.group, topics: [r.topic] })
    return { offset: Number(found[0].partitions.find(p => p.partition === r.partition).offset) }
  },
  async groups () {
    const { groups } = await admin.listGroups()
    return { groups: Object.fromEntries(groups.map(g => [g.groupId, g.protocolType])) }
  }
}, code)
