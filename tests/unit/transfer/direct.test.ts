import { createHash } from 'node:crypto'
import { readdirSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { MemoryServer } from '../../../runtime/bus/memory-server.ts'
import { memoryBus } from '../../../runtime/bus/memory.ts'
import { realClock } from '../../../runtime/clock.ts'
import { directPlane, type DirectPlaneOptions } from '../../../runtime/transfer/direct.ts'
import { planeMover } from '../../../runtime/transfer/mover.ts'
import { encodeGo, encodeRequest } from '../../../runtime/transfer/frames.ts'
import type { Ticket, TransferMode, TransferPlane } from '../../../runtime/transfer/plane.ts'
import { hasUnixSockets, sweepStale } from '../../../runtime/transfer/unix.ts'

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const failure = (promise: Promise<unknown>): Promise<{ code?: string; message?: string }> =>
  promise.then(() => ({}), (error) => error)
const ownSockets = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith(`volley-${process.pid}-`))

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const it of open.splice(0)) await it.close()
  expect(ownSockets()).toEqual([])
})

let planes = 0
async function twoPlanes(
  options: Partial<DirectPlaneOptions> = {},
): Promise<{ owner: TransferPlane; receiver: TransferPlane }> {
  const server = new MemoryServer(realClock)
  const make = async (name: string): Promise<TransferPlane> => {
    const bus = memoryBus(server, { name })
    const plane = await directPlane({
      owner: `${name}-${++planes}`,
      incarnation: 'x',
      bus,
      digestOf,
      stallMs: 500,
      ...options,
    })
    open.push(plane)
    return plane
  }
  return { owner: await make('owner'), receiver: await make('receiver') }
}

function content(bytes: number): { bytes: Uint8Array; digest: string } {
  const data = new Uint8Array(new SharedArrayBuffer(bytes))
  for (let i = 0; i < bytes; i++) data[i] = (i * 31 + (i >> 8)) & 255
  return { bytes: data, digest: digestOf(data) }
}
const offerOf = (plane: TransferPlane, bytes: number, leaseMs = 10_000): Ticket =>
  plane.offer({ bytes, read: () => Promise.resolve(content(bytes)) }, { id: 'req', attempt: 1, leaseMs })
const travelled = (ticket: Ticket): Ticket => JSON.parse(JSON.stringify(ticket)) as Ticket

const MODES: TransferMode[] = hasUnixSockets ? ['memory', 'unix', 'tcp', 'nats'] : ['memory', 'tcp', 'nats']

describe.each(MODES)('directPlane() by %s', (mode) => {
  const how = { timeoutMs: 10_000, modes: [mode] }

  it('moves bytes as they are, of every size', async () => {
    const { owner, receiver } = await twoPlanes()
    for (const size of [0, 1, 1_000, 65_536, 3_000_001]) {
      const ticket = travelled(offerOf(owner, size))
      const pulled = await receiver.pull(ticket, { attempt: 2, ...how })
      expect([pulled.mode, pulled.bytes.length, pulled.digest]).toEqual([mode, size, content(size).digest])
      expect(digestOf(pulled.bytes)).toBe(pulled.digest)
      pulled.recycle()
      expect(await receiver.complete(ticket, 2)).toBe(true)
    }
    expect(owner.held()).toEqual([])
  })

  it('keeps a small ticket', async () => {
    const { owner } = await twoPlanes()
    expect(JSON.stringify(offerOf(owner, 1)).length).toBeLessThan(600)
  })

  it('refuses a wrong secret, an unknown offer and an ended one', async () => {
    const { owner, receiver } = await twoPlanes()
    const ticket = offerOf(owner, 100)
    const wrong = { ...ticket, secret: 'f'.repeat(32) }
    expect(await failure(receiver.pull(wrong, { attempt: 2, ...how }))).toMatchObject({
      code: 'transfer_failed',
      message: expect.stringContaining('does not accept'),
    })
    expect(await receiver.complete(wrong, 2)).toBe(false)
    owner.release(ticket)
    expect((await failure(receiver.pull(ticket, { attempt: 2, ...how }))).message).toContain('no longer')
  })

  it('refuses after the lease, unless it was renewed', async () => {
    const { owner, receiver } = await twoPlanes()
    const [kept, lost] = [offerOf(owner, 100, 2_000), offerOf(owner, 100, 2_000)]
    while (owner.held().length === 2) {
      expect(await receiver.renew(kept, 1)).toBe(true)
      await pause(50)
    }
    expect((await failure(receiver.pull(lost, { attempt: 2, ...how }))).code).toBe('transfer_failed')
    expect((await receiver.pull(kept, { attempt: 2, ...how })).bytes.length).toBe(100)
  })

  it('lets a higher attempt redeem again, refuses a lower one, and counts complete() of the last only', async () => {
    const { owner, receiver } = await twoPlanes()
    const ticket = offerOf(owner, 1_000)
    await receiver.pull(ticket, { attempt: 2, ...how })
    await receiver.pull(ticket, { attempt: 4, ...how })
    expect((await failure(receiver.pull(ticket, { attempt: 3, ...how }))).message).toContain('higher attempt')
    expect(await receiver.complete(ticket, 2)).toBe(false)
    expect(owner.held()).toHaveLength(1)
    expect(await receiver.complete(ticket, 4)).toBe(true)
    expect(owner.held()).toEqual([])
  })

  it('a higher attempt aborts the lower that waits for the source', async () => {
    const { owner, receiver } = await twoPlanes()
    const { promise, resolve } = Promise.withResolvers<{ bytes: Uint8Array; digest: string }>()
    const ticket = owner.offer({ bytes: 1_000, read: () => promise }, { id: 'req', attempt: 1, leaseMs: 10_000 })
    const lower = failure(receiver.pull(ticket, { attempt: 2, ...how }))
    await pause(50)
    const higher = receiver.pull(ticket, { attempt: 3, ...how })
    expect((await lower).code).toBe('transfer_failed')
    resolve(content(1_000))
    expect((await higher).bytes.length).toBe(1_000)
  })

  it('waits for a slow source longer than the stall time, and tells a lost one', async () => {
    const { owner, receiver } = await twoPlanes()
    const slow = { bytes: 10, read: () => pause(1_200).then(() => content(10)) }
    const ticket = owner.offer(slow, { id: 'req', attempt: 1, leaseMs: 10_000 })
    expect((await receiver.pull(ticket, { attempt: 2, ...how })).bytes.length).toBe(10)
    const lost = { bytes: 10, read: () => Promise.reject(new Error('gone')) }
    const dead = owner.offer(lost, { id: 'req', attempt: 1, leaseMs: 10_000 })
    expect((await failure(receiver.pull(dead, { attempt: 2, ...how }))).code).toBe('transfer_failed')
  })

  it('ends in time: by its deadline, by abort, by close of either side', async () => {
    const { owner, receiver } = await twoPlanes()
    const never = { bytes: 10, read: () => new Promise<never>(() => undefined) }
    const options = { id: 'req', attempt: 1, leaseMs: 60_000 }
    const ticket = owner.offer(never, options)
    expect(await failure(receiver.pull(ticket, { attempt: 2, timeoutMs: 150, modes: [mode] }))).toMatchObject({
      code: 'transfer_failed',
      message: expect.stringContaining('150 ms'),
    })
    const abort = new AbortController()
    const aborted = failure(receiver.pull(ticket, { attempt: 2, ...how, signal: abort.signal }))
    await pause(30)
    abort.abort()
    expect((await aborted).code).toBe('cancelled')
    const orphan = failure(receiver.pull(ticket, { attempt: 2, ...how }))
    await pause(30)
    await owner.close()
    expect((await orphan).code).toBe('transfer_failed')
    expect((await failure(receiver.pull(ticket, { attempt: 2, ...how }))).code).toBe('transfer_failed')
  })
})

describe.each(MODES.filter((mode) => mode !== 'memory'))('directPlane() by %s, broken', (mode) => {
  it('detects bytes that came wrong', async () => {
    const { owner, receiver } = await twoPlanes()
    const broken = {
      bytes: 100_000,
      read: () => Promise.resolve({ ...content(100_000), digest: digestOf(new Uint8Array(1)) }),
    }
    const ticket = owner.offer(broken, { id: 'req', attempt: 1, leaseMs: 1_000 })
    expect(await failure(receiver.pull(ticket, { attempt: 2, timeoutMs: 5_000, modes: [mode] }))).toMatchObject({
      code: 'transfer_failed',
      message: expect.stringContaining('digest'),
    })
  })
})

describe('directPlane() by locality', () => {
  it('takes memory, then unix, then tcp, then nats', async () => {
    const { owner, receiver } = await twoPlanes()
    const ticket = offerOf(owner, 1_000)
    const used: string[] = []
    for (const away of [[], ['memory'], ['memory', 'unix'], ['memory', 'unix', 'tcp']]) {
      const addresses = Object.fromEntries(Object.entries(ticket.addresses).filter(([name]) => !away.includes(name)))
      used.push((await receiver.pull({ ...ticket, addresses }, { attempt: 2, timeoutMs: 5_000 })).mode)
    }
    expect(used).toEqual(hasUnixSockets ? ['memory', 'unix', 'tcp', 'nats'] : ['memory', 'tcp', 'nats', 'nats'])
  })

  it('falls back to the next where one fails, and fails typed where the mode is forced', async () => {
    const { owner, receiver } = await twoPlanes()
    const ticket = offerOf(owner, 1_000)
    const mute = await fakeOwner((socket) => socket.destroy())
    const addresses = { tcp: `127.0.0.1:${mute.port}`, nats: ticket.addresses.nats! }
    expect((await receiver.pull({ ...ticket, addresses }, { attempt: 2, timeoutMs: 5_000 })).mode).toBe('nats')
    const forced = failure(receiver.pull({ ...ticket, addresses }, { attempt: 2, timeoutMs: 5_000, modes: ['tcp'] }))
    expect(await forced).toMatchObject({ code: 'transfer_failed', message: expect.stringContaining('by tcp') })
    const nowhere = failure(receiver.pull({ ...ticket, addresses: {} }, { attempt: 2, timeoutMs: 5_000 }))
    expect(await nowhere).toMatchObject({ code: 'transfer_failed', message: expect.stringContaining('no way') })
  })

  it('does not try a loopback address of another host', async () => {
    const { owner, receiver } = await twoPlanes()
    const ticket = { ...offerOf(owner, 1_000), host: 'elsewhere' }
    const { tcp = '', nats = '' } = ticket.addresses
    expect((await receiver.pull({ ...ticket, addresses: { tcp, nats } }, { attempt: 2, timeoutMs: 5_000 })).mode).toBe(
      'nats',
    )
  })

  it('serves only the modes it is told to', async () => {
    const { owner } = await twoPlanes({ modes: ['nats'] })
    expect(Object.keys(offerOf(owner, 1).addresses)).toEqual(['nats'])
    expect(ownSockets()).toEqual([])
  })
})

interface FakeOwner {
  port: number
  close(): Promise<void>
}
/** A peer that misbehaves. */
async function fakeOwner(onSocket: (socket: Socket) => void): Promise<FakeOwner> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => onSocket(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const fake = {
    port: (server.address() as { port: number }).port,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  open.push(fake)
  return fake
}

describe('a pull over a socket', () => {
  const tcpTo = async (onSocket: (socket: Socket) => void) => {
    const { owner, receiver } = await twoPlanes()
    const fake = await fakeOwner(onSocket)
    const ticket = { ...offerOf(owner, 1_000_000), addresses: { tcp: `127.0.0.1:${fake.port}` } }
    return await failure(receiver.pull(ticket, { attempt: 2, timeoutMs: 5_000 }))
  }
  const half = (socket: Socket): void => {
    socket.write(encodeGo(1_000_000, 'digest'))
    socket.write(new Uint8Array(500_000))
  }

  it('fails when the owner dies half-way', async () => {
    const error = await tcpTo((socket) => {
      half(socket)
      setTimeout(() => socket.resetAndDestroy(), 30)
    })
    expect(error.code).toBe('transfer_failed')
  })

  it('fails when the owner falls silent half-way', async () => {
    expect(await tcpTo(half)).toMatchObject({ code: 'transfer_failed', message: expect.stringContaining('500 ms') })
  })

  it('fails when somebody else speaks, or the size is not the ticket’s', async () => {
    expect((await tcpTo((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))).message).toContain(
      'something else',
    )
    expect((await tcpTo((socket) => socket.write(encodeGo(999, 'digest')))).message).toContain('999 bytes')
  })
})

describe('an owner on a socket', () => {
  const raw = (ticket: Ticket): Socket => {
    const socket = connect({ host: '127.0.0.1', port: Number(ticket.addresses.tcp?.split(':')[1]) })
    socket.on('error', () => undefined)
    return socket
  }

  it('gives up a receiver that stops reading or dies, and frees at lease end', async () => {
    const { owner } = await twoPlanes()
    const bytes = new Uint8Array(64 << 20)
    const source = { bytes: bytes.length, read: () => Promise.resolve({ bytes, digest: 'd' }) }
    const ends: string[] = []
    const sockets = ['stalled', 'dead'].map((fate) => {
      const ticket = owner.offer(source, {
        id: fate,
        attempt: 1,
        leaseMs: 100,
        onEnd: (how) => ends.push(`${fate} ${how}`),
      })
      const socket = raw(ticket)
      socket.write(encodeRequest({ offer: ticket.offer, secret: ticket.secret, attempt: 2 }))
      socket.once('data', () => fate === 'dead' ? socket.destroy() : socket.pause())
      return socket
    })
    await expect.poll(() => [...ends].sort()).toEqual(['dead expired', 'stalled expired'])
    expect(owner.held()).toEqual([])
    sockets.forEach((socket) => socket.destroy())
  })

  it('cuts off who sends something else, or nothing, or too much', async () => {
    const { owner } = await twoPlanes()
    const ticket = offerOf(owner, 10)
    const closed = ['GET / HTTP/1.1\r\n\r\n', '', 'x'.repeat(100_000)].map((sent) => {
      const socket = raw(ticket)
      socket.write(sent)
      socket.resume()
      return new Promise((resolve) => socket.once('close', resolve))
    })
    await Promise.all(closed)
    expect(owner.held()[0]?.state).toBe('offered')
  })
})

if (!hasUnixSockets) console.log('no unix sockets on this platform: their tests are skipped')

describe.skipIf(!hasUnixSockets)('unix sockets', () => {
  it('of dead processes are swept, those of live ones and other files stay', async () => {
    const stale = join(tmpdir(), 'volley-999999999-0123abcd.sock')
    const other = join(tmpdir(), `volley-notes-of-${process.pid}.sock`)
    writeFileSync(stale, '')
    writeFileSync(other, '')
    await twoPlanes()
    await sweepStale()
    const names = readdirSync(tmpdir())
    expect(names).not.toContain('volley-999999999-0123abcd.sock')
    expect(names).toContain(basename(other))
    expect(ownSockets()).toHaveLength(2)
    const { rmSync } = await import('node:fs')
    rmSync(other)
  })
})

describe('planeMover()', () => {
  it('exports a hold at the first pull, ends with it, and says when somebody pulls', async () => {
    const { owner, receiver } = await twoPlanes()
    const exported: string[] = []
    const renewed: string[] = []
    const exportHold = (name: string) => {
      exported.push(name)
      return Promise.resolve(content(1_000))
    }
    const mine = planeMover({ plane: owner, onPull: (request) => renewed.push(request) })
    const theirs = planeMover({ plane: receiver, modes: ['tcp'] })
    const source = { bytes: 1_000, read: () => exportHold('req.1') }
    const ticket = mine.offer('req.1', source, { id: 'req', attempt: 1 })
    expect(exported).toEqual([])
    const how = { attempt: 2, signal: new AbortController().signal, timeoutMs: 5_000 }
    const pulled = await theirs.pull(ticket, how)
    expect([pulled.mode, exported, renewed]).toEqual(['tcp', ['req.1'], ['req']])
    mine.forget('req.1')
    mine.forget('unknown')
    expect(owner.held()).toEqual([])
    expect((await failure(theirs.pull(ticket, how))).code).toBe('transfer_failed')
    expect((await failure(theirs.pull({ instance: 'x' }, how))).message).toContain('not a ticket')
  })
})
