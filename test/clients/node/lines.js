// What the adapters for Node.js share: one JSON request a line in, one JSON answer a line out.
import { createInterface } from 'node:readline'

export const bytes = text => (text == null ? null : Buffer.from(text, 'base64'))
export const text = buffer => (buffer == null ? null : Buffer.from(buffer).toString('base64'))
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
export const patience = 60000

// serve carries out operations with the functions of calls; code gives Kafka's number of an error.
export async function serve (calls, code) {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const request = JSON.parse(line)
    let answer
    try {
      answer = (await calls[request.op](request)) ?? {}
    } catch (error) {
      answer = { error: `${error.name}: ${error.message}`, code: code(error) }
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
  process.exit(0)
}

// offsetsOf numbers each record of a request from the first offset of its partition.
export function offsetsOf (records, first) {
  const next = new Map(first)
  return records.map(r => {
    const offset = next.get(r.partition)
    next.set(r.partition, offset + 1)
    return offset
  })
}
