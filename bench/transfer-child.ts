/**
 * One end of a transfer in a process of its own. Speaks JSON lines: words come on stdin, answers go to stdout. Used by
 * the tests and by the benchmark.
 * @module
 */
import { createHash } from 'node:crypto'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { natsBus } from '../runtime/bus/nats.ts'
import { directPlane } from '../runtime/transfer/direct.ts'
import type { Ticket, TransferMode } from '../runtime/transfer/plane.ts'

/** What a child can be told. */
export type ChildWord =
  | { do: 'offer'; bytes: number; leaseMs: number; slowMs?: number }
  | { do: 'pull'; ticket: Ticket; attempt: number; modes?: TransferMode[]; timeoutMs: number }
  | { do: 'complete'; ticket: Ticket; attempt: number }
  | { do: 'held' }

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const [servers = '', owner = '', stallMs = '5000', verify = 'yes'] = process.argv.slice(2)
const bus = await natsBus({ servers, name: owner })
const plane = await directPlane({
  owner,
  incarnation: String(process.pid),
  bus,
  stallMs: Number(stallMs),
  ...(verify === 'yes' ? { digestOf: sha256 } : {}),
})

/** Bytes that differ from place to place, quickly made. */
function content(length: number): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(length))
  for (let i = 0; i < Math.min(length, 4_096); i++) bytes[i] = (i * 31) & 255
  for (let filled = 4_096; filled < length; filled *= 2) bytes.copyWithin(filled, 0, Math.min(filled, length - filled))
  return bytes
}

async function obey(word: ChildWord): Promise<unknown> {
  switch (word.do) {
    case 'offer': {
      const { bytes: size, leaseMs, slowMs = 0 } = word
      const read = async () => {
        await new Promise((resolve) => setTimeout(resolve, slowMs))
        const bytes = content(size)
        return { bytes, digest: verify === 'yes' ? sha256(bytes) : 'unchecked' }
      }
      return plane.offer({ bytes: size, read }, { id: 'req', attempt: 1, leaseMs })
    }
    case 'pull': {
      const { ticket, attempt, modes, timeoutMs } = word
      const pulled = await plane.pull(ticket, { attempt, timeoutMs, ...(modes ? { modes } : {}) })
      const { mode, ms, bytes } = pulled
      const right = bytes.length === ticket.bytes && bytes[0] === 0 && (bytes.length < 2 || bytes[1] === 31)
      pulled.recycle()
      return { mode, ms, right }
    }
    case 'complete':
      return await plane.complete(word.ticket, word.attempt)
    case 'held':
      return plane.held()
  }
}

const say = (answer: object): void => void process.stdout.write(JSON.stringify(answer) + '\n')
const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  obey(JSON.parse(line) as ChildWord).then(
    (result) => say({ result }),
    (error: { code?: string; message?: string }) => say({ error: { code: error.code, message: error.message } }),
  )
})
lines.once('close', () => void plane.close().then(() => bus.close()))
say({ result: 'ready' })
