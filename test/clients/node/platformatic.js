// Adapter of @platformatic/kafka. Argument: bootstrap address.
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { bytes, text, sleep, serve, offsetsOf, patience } from './lines.js'

const base = { clientId: 'adapter', bootstrapBrokers: [process.argv[2]], timeout: patience, retries: 20, retryDelay: 100 }
const admin = new Admin(base)
const producers = new Map()
let consumer
let stream
let kept = []
let polled = new Map() // by a member: the last message of each partition
let broken // what became of the stream

const apiCode = error => (typeof error?.apiCode === 'number' ? error.apiCode : 0)

// code looks for Kafka's number in an error and in what it collects.
function code (error) {
  if (!error) return 0
  if (apiCode(error)) return apiCode(error)
  if (error.message.startsWith('Unknown topic')) return 3 // its metadata call gives no number
  for (const inner of error.errors ?? []) if (code(inner)) return code(inner)
  return code(error.cause)
}

function producer (r) {
  const key = r.acks + r.codec + r.idempotent
  if (!producers.has(key)) {
    producers.set(key, new Producer({ ...base, autocreateTopics: true, idempotent: !!r.idempotent, acks: { 0: 0, 1: 1, all: -1 }[r.acks], compression: r.codec }))
  }
  return producers.get(key)
}

const resource = topic => ({ resourceType: 2, resourceName: topic })

async function offset ({ topic, at }) {
  const timestamp = BigInt({ start: -2, end: -1, time: at.n }[at.at])
  const found = await admin.listOffsets({ topics: [{ name: topic, partitions: [{ partitionIndex: at.partition, timestamp }] }] })
  return { offset: Number(found[0].partitions[0].offset) }
}

await serve({
  async create (r) {
    const configs = Object.entries(r.configs ?? {}).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ topics: [r.topic], partitions: r.partitions, replicas: r.replication, configs })
  },
  async list () {
    return { topics: await admin.listTopics() }
  },
  async describe (r) {
    const metadata = await admin.metadata({ topics: [r.topic], forceUpdate: true })
    return { layout: metadata.topics.get(r.topic).partitions.map((p, partition) => ({ partition, leader: p.leader, replicas: p.replicas, isr: p.isr })) }
  },
  async delete (r) {
    await admin.deleteTopics({ topics: [r.topic] })
  },
  async grow (r) {
    await admin.createPartitions({ topics: [{ name: r.topic, count: r.partitions, assignments: null }] })
  },
  async configs (r) {
    const found = await admin.describeConfigs({ resources: [{ ...resource(r.topic), configurationKeys: null }] })
    return { config: Object.fromEntries(found[0].configs.map(e => [e.name, e.value])) }
  },
  async alter (r) {
    const configs = Object.entries(r.configs).map(([name, value]) => ({ name, value, configOperation: 0 }))
    await admin.incrementalAlterConfigs({ resources: [{ ...resource(r.topic), configs }] })
  },
  async trim (r) {
    await admin.deleteRecords({ topics: [{ name: r.topic, partitions: [{ partition: r.partition, offset: BigInt(r.offset) }] }] })
  },
  async produce (r) {
    const messages = r.records.map(x => ({
      topic: r.topic,
      partition: x.partition,
      key: bytes(x.key),
      value: bytes(x.value),
      headers: new Map((x.headers ?? []).map(h => [Buffer.from(h.key), bytes(h.value)])),
      ...(x.timestamp ? { timestamp: BigInt(x.timestamp) } : {})
    }))
    const { offsets } = await producer(r).send({ messages })
    if (r.acks === '0') return
    return { offsets: offsetsOf(r.records, offsets.map(p => [p.partition, Number(p.offset)])) }
  },
  offset,
  // open joins a group of its own, for it reads in no other way.
  async open (r) {
    const offsets = []
    for (const p of r.from) {
      const at = p.at === 'offset' ? p.n : (await offset({ topic: r.topic, at: p })).offset
      offsets.push({ topic: r.topic, partition: p.partition, offset: BigInt(at) })
    }
    kept = []
    broken = undefined
    consumer = new Consumer({ ...base, groupId: `group-${r.topic}`, maxWaitTime: 200, maxBytes: 64 << 20, maxBytesPerPartition: 64 << 20 })
    stream = await consumer.consume({ topics: [r.topic], mode: 'manual', offsets, autocommit: false })
    stream.on('data', message => kept.push(message))
    stream.on('error', error => console.error(error))
  },
  async poll (r) {
    const end = Date.now() + r.timeout
    while (kept.length < r.count && Date.now() < end && !broken) await sleep(20)
    if (broken) throw broken
    const given = kept.splice(0, r.count)
    for (const m of given) polled.set(m.partition, m)
    return {
      records: given.map(m => ({
        partition: m.partition,
        offset: Number(m.offset),
        timestamp: Number(m.timestamp),
        key: text(m.key),
        value: text(m.value),
        headers: m.headerEntries.map(([key, value]) => ({ key: key.toString(), value: text(value) }))
      }))
    }
  },
  async close () {
    await stream.close()
    await consumer.close(true)
  },
  async join (r) {
    kept = []
    polled = new Map()
    broken = undefined
    const classic = { sessionTimeout: r.session, heartbeatInterval: r.heartbeat, rebalanceTimeout: patience }
    consumer = new Consumer({
      ...base,
      clientId: r.client,
      groupId: r.group,
      maxWaitTime: 200,
      ...(r.instance ? { groupInstanceId: r.instance } : {}),
      ...(r.consumer ? { groupProtocol: 'consumer' } : classic)
    })
    stream = await consumer.consume({ topics: [r.topic], mode: 'committed', fallbackMode: r.reset === 'none' ? 'fail' : r.reset, autocommit: false })
    stream.on('data', message => kept.push(message))
    stream.on('error', error => { broken = error })
  },
  async commit () {
    const offsets = [...polled.values()].map(m => ({ topic: m.topic, partition: m.partition, offset: m.offset + 1n, leaderEpoch: -1 }))
    await consumer.commit({ offsets })
    polled.clear()
  },
  async committed (r) {
    const found = await admin.listConsumerGroupOffsets({ groups: [{ groupId: r.group, topics: [{ name: r.topic, partitionIndexes: [r.partition] }] }] })
    return { offset: Number(found[0].topics[0].partitions[0].committedOffset) }
  },
  async groups () {
    const found = await admin.listGroups()
    return { groups: Object.fromEntries([...found].map(([id, g]) => [id, g.protocolType])) }
  }
}, code)
