/**
 * `volley bench transfer`: how fast bytes move by each mechanism, both ends in processes of their own where the
 * mechanism allows it. `memcpyRatio` is to a copy within warm memory of the same size in this process; `memory` hands
 * over and copies nothing. Hashing is the engine's and is left out.
 *
 *     volley bench transfer [--sizes 1,12,100] [--repeats 7] [--json]
 *
 * Sizes are in MiB.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureServer, startNatsServer } from '../actors/supervisor/nats-server/mod.ts'
import { natsBus } from '../runtime/bus/nats.ts'
import { directPlane } from '../runtime/transfer/direct.ts'
import { type Ticket, TRANSFER_MODES, type TransferMode, type TransferPlane } from '../runtime/transfer/plane.ts'
import { benchFlags, count, counts, print, quantile } from './flags.ts'
import { type TransferChild, transferChild } from './transfer-pair.ts'

const MIB = 1 << 20
const PULL_TIMEOUT_MS = 60_000
const LEASE_MS = 60_000
const MS_PER_S = 1_000

const median = (values: readonly number[]): number => quantile(values, 0.5)
const rounded = (value: number): number => Number(value.toPrecision(3))

export async function main(argv: readonly string[]): Promise<void> {
  const { json, ...flags } = benchFlags(argv, { sizes: '1,12,100', repeats: '7' })
  const sizes = counts('sizes', flags.sizes).map((mib) => mib * MIB)
  const repeats = count('repeats', flags.repeats)
  const { path } = await ensureServer()
  const runDir = await mkdtemp(join(tmpdir(), 'volley-bench-'))
  const server = await startNatsServer(path, runDir)
  try {
    for await (const figure of figures(server.url, sizes, repeats)) print(json, figure)
  } finally {
    await server.stop()
    await rm(runDir, { recursive: true, force: true })
  }
}

/** Every mechanism and size, one after the other. */
async function* figures(url: string, sizes: number[], repeats: number): AsyncGenerator<Record<string, unknown>> {
  const bus = await natsBus({ servers: url, name: 'volley bench' })
  const plane = await directPlane({ owner: 'bench', incarnation: 'here', bus })
  const owner = await transferChild(url, 'bench-owner', { verify: false })
  const receiver = await transferChild(url, 'bench-receiver', { verify: false })
  try {
    for (const bytes of sizes) {
      const copyMs = memcpyMs(bytes, repeats)
      for (const mode of TRANSFER_MODES) {
        const all: number[] = []
        for (let i = 0; i < repeats; i++) {
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

/** Milliseconds of a copy between two warm places. */
function memcpyMs(bytes: number, repeats: number): number {
  const [from, to] = [new Uint8Array(bytes).fill(1), new Uint8Array(bytes).fill(2)]
  return median(
    Array.from({ length: repeats }, () => {
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
