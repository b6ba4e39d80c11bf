import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TransferChild, transferChild } from '../../../bench/transfer-pair.ts'
import { natsBus } from '../../../runtime/bus/nats.ts'
import type { Bus } from '../../../runtime/bus/bus.ts'
import { directPlane } from '../../../runtime/transfer/direct.ts'
import type { HeldOffer, Ticket, TransferMode, TransferPlane } from '../../../runtime/transfer/plane.ts'
import { hasUnixSockets } from '../../../runtime/transfer/unix.ts'
import { type NatsServer, natsServerPath, startNatsServer } from '../../helpers/nats-server.ts'

const MODES: TransferMode[] = hasUnixSockets ? ['unix', 'tcp', 'nats'] : ['tcp', 'nats']
const SIZE = 64 << 20
const socketsOf = (pid: number): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith(`volley-${pid}-`))
const failure = (promise: Promise<unknown>): Promise<{ code?: string }> => promise.then(() => ({}), (error) => error)

if (!natsServerPath) console.log('no nats-server at or above 2.12 found: transfers between processes are not tested')

describe.skipIf(!natsServerPath)('a transfer between processes', () => {
  let server: NatsServer
  let bus: Bus
  let plane: TransferPlane
  let children = 0
  const child = (options: { stallMs?: number; verify?: boolean } = { stallMs: 600 }): Promise<TransferChild> =>
    transferChild(server.url, `child-${++children}`, options)

  beforeAll(async () => {
    server = await startNatsServer()
    bus = await natsBus({ servers: server.url, name: 'here' })
    plane = await directPlane({ owner: 'here', incarnation: 'x', bus, stallMs: 600 })
  })
  afterAll(async () => {
    await plane?.close()
    await bus?.close()
    await server?.close()
    expect(socketsOf(process.pid)).toEqual([])
  })

  it('moves 64 MB by every mode, and the owner frees them on complete', async () => {
    // These children hash on the thread that also answers: time enough for that.
    const owner = await child({})
    const receiver = await child({})
    for (const mode of MODES) {
      const ticket = await owner.say<Ticket>({ do: 'offer', bytes: SIZE, leaseMs: 60_000 })
      const pulled = await receiver.say({ do: 'pull', ticket, attempt: 2, modes: [mode], timeoutMs: 20_000 })
      expect(pulled).toMatchObject({ mode, right: true })
      const [held] = await owner.say<HeldOffer[]>({ do: 'held' })
      expect(held).toMatchObject({ state: 'verifying', residentBytes: SIZE, attempt: 2 })
      expect(await receiver.say({ do: 'complete', ticket, attempt: 1 })).toBe(false)
      expect(await receiver.say({ do: 'complete', ticket, attempt: 2 })).toBe(true)
      expect(await owner.say({ do: 'held' })).toEqual([])
    }
    await owner.close()
    await receiver.close()
    expect([...socketsOf(owner.pid), ...socketsOf(receiver.pid)]).toEqual([])
  })

  it('takes the nearest way by itself', async () => {
    const owner = await child()
    const ticket = await owner.say<Ticket>({ do: 'offer', bytes: 1_000, leaseMs: 60_000 })
    expect((await plane.pull(ticket, { attempt: 2, timeoutMs: 5_000 })).mode).toBe(MODES[0])
    await owner.close()
  })

  it.each(MODES)('fails typed and in time when the owner is killed meanwhile (%s)', async (mode) => {
    const owner = await child()
    const slowMs = mode === 'nats' ? 0 : 60_000
    const ticket = await owner.say<Ticket>({ do: 'offer', bytes: SIZE * 2, leaseMs: 60_000, slowMs })
    const pulling = failure(plane.pull(ticket, { attempt: 2, timeoutMs: 20_000, modes: [mode] }))
    // At once: a fast machine is through soon.
    await expect.poll(async () => (await owner.say<HeldOffer[]>({ do: 'held' }))[0]?.attempt, { interval: 1 }).toBe(2)
    await owner.kill()
    expect((await pulling).code).toBe('transfer_failed')
    const again = await failure(plane.pull(ticket, { attempt: 3, timeoutMs: 5_000 }))
    expect(again.code).toBe('transfer_failed')
  })

  it.each(MODES)('frees at lease end when the receiver is killed meanwhile (%s)', async (mode) => {
    const receiver = await child()
    const { promise: hold, resolve: letGo } = Promise.withResolvers<void>()
    const read = async () => {
      if (mode !== 'nats') await hold
      return { bytes: new Uint8Array(SIZE * 2), digest: 'd' }
    }
    const ticket = plane.offer({ bytes: SIZE * 2, read }, { id: 'req', attempt: 1, leaseMs: 3_000 })
    const pulling = failure(receiver.say({ do: 'pull', ticket, attempt: 2, modes: [mode], timeoutMs: 20_000 }))
    await expect.poll(() => plane.held()[0]?.attempt, { interval: 10 }).toBe(2)
    await receiver.kill()
    letGo()
    await pulling
    await expect.poll(() => plane.held()).toEqual([])
  })

  it('a killed process’s socket is swept by the next that starts', async () => {
    const doomed = await child()
    await doomed.kill()
    const left = socketsOf(doomed.pid)
    const next = await child()
    expect([left.length, socketsOf(doomed.pid)]).toEqual([hasUnixSockets ? 1 : 0, []])
    await next.close()
  })

  it('lets the memory go after complete', async () => {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    const receiver = await child({ verify: false })
    let made: WeakRef<SharedArrayBuffer> | undefined
    const read = () => {
      const buffer = new SharedArrayBuffer(SIZE)
      made = new WeakRef(buffer)
      return Promise.resolve({ bytes: new Uint8Array(buffer), digest: 'unchecked' })
    }
    const ticket = plane.offer({ bytes: SIZE, read }, { id: 'req', attempt: 1, leaseMs: 60_000 })
    await receiver.say({ do: 'pull', ticket, attempt: 2, timeoutMs: 20_000 })
    expect(made?.deref()).toBeDefined()
    expect(await receiver.say({ do: 'complete', ticket, attempt: 2 })).toBe(true)
    await receiver.close()
    await expect.poll(() => {
      gc()
      return made?.deref()
    }).toBeUndefined()
  })
})
