/**
 * How fast bytes move by each mechanism, both ends in processes of their own where the mechanism allows it: one line
 * of JSON a mechanism and size. `memcpyRatio` is to a copy within warm memory of the same size in this process;
 * `memory` hands over and copies nothing. Hashing is the engine's and is left out.
 *
 * Usage: node bench/transfer.ts [--nats nats://HOST:PORT]
 * @module
 */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { natsBus } from '../runtime/bus/nats.ts'
import { directPlane } from '../runtime/transfer/direct.ts'
import { type Ticket, TRANSFER_MODES, type TransferMode, type TransferPlane } from '../runtime/transfer/plane.ts'
import { type TransferChild, transferChild } from './transfer-pair.ts'

const SIZES = [1 << 20, 12 << 20, 100 << 20]
const REPEATS = 7
const PULL_TIMEOUT_MS = 60_000
const LEASE_MS = 60_000
const MS_PER_S = 1_000

/** One line of the result. */
export interface TransferFigure {
  bench: 'transfer'
  mode: TransferMode
  bytes: number
  gigabytesPerSecond: number
  memcpyRatio: number
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN
const rounded = (value: number): number => Number(value.toPrecision(3))

/** Milliseconds of a copy between two warm places. */
function memcpyMs(bytes: number): number {
  const [from, to] = [new Uint8Array(bytes).fill(1), new Uint8Array(bytes).fill(2)]
  return median(
    Array.from({ length: REPEATS }, () => {
      const startedAt = performance.now()
      to.set(from)
      return performance.now() - startedAt
    }),
  )
}

/** Within one process: offered and pulled by the same plane. */
async function handOverMs(plane: TransferPlane, bytes: number): Promise<number> {
  const content = new Uint8Array(new SharedArrayBuffer(bytes))
  const source = { bytes, read: () => Promise.resolve({ bytes: content, digest: 'unchecked' }) }
  const ticket = plane.offer(source, { id: 'bench', attempt: 1, leaseMs: LEASE_MS })
  const { ms } = await plane.pull(ticket, { attempt: 1, timeoutMs: PULL_TIMEOUT_MS, modes: ['memory'] })
  await plane.complete(ticket, 1)
  return ms
}

/** Between two processes. The first pull makes the owner read its source, and is not counted. */
async function pullMs(
  mode: TransferMode,
  bytes: number,
  owner: TransferChild,
  receiver: TransferChild,
): Promise<number> {
  const ticket = await owner.say<Ticket>({ do: 'offer', bytes, leaseMs: LEASE_MS })
  const pull = (attempt: number): Promise<{ ms: number }> =>
    receiver.say({ do: 'pull', ticket, attempt, modes: [mode], timeoutMs: PULL_TIMEOUT_MS })
  await pull(1)
  const { ms } = await pull(2)
  await receiver.say({ do: 'complete', ticket, attempt: 2 })
  return ms
}

/** Measures every mechanism and size, with the broker at `url`. */
export async function* benchTransfer(url: string): AsyncGenerator<TransferFigure> {
  const bus = await natsBus({ servers: url, name: 'volley-bench' })
  const plane = await directPlane({ owner: 'bench', incarnation: 'here', bus })
  const owner = await transferChild(url, 'bench-owner', { verify: false })
  const receiver = await transferChild(url, 'bench-receiver', { verify: false })
  try {
    for (const bytes of SIZES) {
      const copyMs = memcpyMs(bytes)
      for (const mode of TRANSFER_MODES) {
        const all: number[] = []
        for (let i = 0; i < REPEATS; i++) {
          all.push(await (mode === 'memory' ? handOverMs(plane, bytes) : pullMs(mode, bytes, owner, receiver)))
        }
        const ms = median(all)
        const gigabytesPerSecond = rounded(bytes / 1e9 / (ms / MS_PER_S))
        yield { bench: 'transfer', mode, bytes, gigabytesPerSecond, memcpyRatio: rounded(copyMs / ms) }
      }
    }
  } finally {
    await Promise.all([owner.close(), receiver.close()])
    await plane.close()
    await bus.close()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { nats: { type: 'string' } } })
  const { startNatsServer } = await import('../tests/helpers/nats-server.ts')
  const server = values.nats === undefined ? await startNatsServer() : undefined
  for await (const figure of benchTransfer(values.nats ?? server?.url ?? '')) {
    process.stdout.write(JSON.stringify(figure) + '\n')
  }
  await server?.close()
}
