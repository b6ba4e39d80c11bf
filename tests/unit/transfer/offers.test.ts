import { describe, expect, it } from 'vitest'
import { Buffers } from '../../../runtime/transfer/buffers.ts'
import { type Grant, Offers } from '../../../runtime/transfer/offers.ts'
import { Slots } from '../../../runtime/transfer/slots.ts'
import { settled, VirtualClock } from '../../helpers/virtual-clock.ts'

function house({ slots = 2 } = {}) {
  const clock = new VirtualClock()
  const offers = new Offers(clock, new Slots(slots))
  let reads = 0
  const ends: string[] = []
  const source = {
    bytes: 3,
    read: () => {
      reads++
      return Promise.resolve({ bytes: Uint8Array.of(1, 2, 3), digest: 'd' })
    },
  }
  const make = (leaseMs = 1_000) =>
    offers.make(source, { id: 'req', attempt: 1, leaseMs, onEnd: (how) => ends.push(how) })
  return { clock, offers, source, make, ends, reads: () => reads }
}
const granted = (answer: Grant | string): Grant => {
  if (typeof answer === 'string') throw new Error(`refused: ${answer}`)
  return answer
}

describe('Offers', () => {
  it('reads the source at the first pull, once, and keeps it to the end', async () => {
    const { offers, make, reads, ends } = house()
    const ticket = make()
    expect([reads(), offers.held()[0]?.residentBytes]).toEqual([0, 0])
    for (const attempt of [1, 2]) granted(await offers.open({ ...ticket, attempt })).sent()
    expect([reads(), offers.held()[0]?.residentBytes, offers.held()[0]?.state]).toEqual([1, 3, 'verifying'])
    expect(offers.complete({ ...ticket, attempt: 1 })).toBe(false)
    expect(offers.complete({ ...ticket, attempt: 2 })).toBe(true)
    expect([offers.held(), ends]).toEqual([[], ['completed']])
    expect(await offers.open({ ...ticket, attempt: 3 })).toBe('gone')
  })

  it('denies a wrong secret, also one of another length', async () => {
    const { offers, make } = house()
    const ticket = make()
    expect(await offers.open({ ...ticket, secret: ticket.secret.replace(/.$/, 'x'), attempt: 1 })).toBe('denied')
    expect(await offers.open({ ...ticket, secret: '', attempt: 1 })).toBe('denied')
    expect(offers.complete({ ...ticket, secret: 'x', attempt: 1 })).toBe(false)
  })

  it('ends with its lease, later when renewed, never while it is read', async () => {
    const { clock, offers, make, ends } = house()
    const pass = (ms: number): Promise<void> => {
      clock.setTimer(ms, () => undefined)
      return clock.advance(ms)
    }
    const [one, two, three] = [make(), make(), make()]
    await pass(900)
    expect(offers.renew({ ...two, attempt: 1 })).toBe(true)
    const grant = granted(await offers.open({ ...three, attempt: 2 }))
    await pass(500)
    expect(offers.has(one.offer)).toBe(false)
    expect(offers.has(two.offer)).toBe(true)
    await pass(5_000)
    expect([offers.has(two.offer), offers.has(three.offer), grant.signal.aborted]).toEqual([false, true, false])
    grant.failed()
    await pass(10)
    expect([offers.held(), ends]).toEqual([[], ['expired', 'expired', 'expired']])
  })

  it('a higher attempt aborts the lower while it waits and while it reads', async () => {
    const { offers, make } = house({ slots: 1 })
    const [busy, ticket] = [make(), make()]
    const first = granted(await offers.open({ ...busy, attempt: 1 }))
    const waiting = offers.open({ ...ticket, attempt: 1 })
    const better = offers.open({ ...ticket, attempt: 2 })
    expect(await waiting).toBe('fenced')
    first.sent()
    const second = granted(await better)
    const third = offers.open({ ...ticket, attempt: 3 })
    expect(second.signal.aborted).toBe(true)
    second.failed()
    granted(await third).sent()
    expect(await offers.open({ ...ticket, attempt: 2 })).toBe('fenced')
  })

  it('serves so many at a time; a waiting puller that goes leaves no trace', async () => {
    const { offers, make } = house({ slots: 1 })
    const [one, two, three] = [make(), make(), make()]
    const first = granted(await offers.open({ ...one, attempt: 1 }))
    const leaver = new AbortController()
    const left = offers.open({ ...two, attempt: 1 }, leaver.signal)
    let served = false
    const last = offers.open({ ...three, attempt: 1 }).then((answer) => {
      served = true
      return granted(answer)
    })
    await settled()
    leaver.abort()
    expect(await left).toBe('gone')
    expect([served, offers.held().find(({ offer }) => offer === two.offer)?.state]).toEqual([false, 'offered'])
    first.sent()
    ;(await last).sent()
  })

  it('a source that is lost or has another size ends the offer', async () => {
    const { offers, ends } = house()
    const options = { id: 'req', attempt: 1, leaseMs: 1_000, onEnd: (how: string) => void ends.push(how) }
    const lost = offers.make({ bytes: 1, read: () => Promise.reject(new Error('no hold')) }, options)
    expect(await offers.open({ ...lost, attempt: 1 })).toBe('gone')
    const wrong = { bytes: 1, read: () => Promise.resolve({ bytes: new Uint8Array(2), digest: 'd' }) }
    expect(await offers.open({ ...offers.make(wrong, options), attempt: 1 })).toBe('gone')
    expect([offers.held(), ends]).toEqual([[], ['aborted', 'aborted']])
  })

  it('release() and close() abort whoever reads', async () => {
    const { offers, make, ends } = house()
    const [one, two] = [make(Infinity), make(Infinity)]
    const [first, second] = [
      granted(await offers.open({ ...one, attempt: 1 })),
      granted(await offers.open({ ...two, attempt: 1 })),
    ]
    offers.release(one.offer)
    offers.release('unknown')
    expect([first.signal.aborted, second.signal.aborted]).toEqual([true, false])
    offers.close()
    expect([second.signal.aborted, ends]).toEqual([true, ['aborted', 'aborted']])
  })

  it('a shared offer is read by several at once, of any attempt, and ended by no reader', async () => {
    const { offers, source, reads, ends } = house({ slots: 4 })
    const ticket = offers.make(source, { id: 'req', attempt: 5, leaseMs: 1_000, shared: true, onEnd: (how) => ends.push(how) })
    const grants = await Promise.all([7, 1, 1].map(async (attempt) => granted(await offers.open({ ...ticket, attempt }))))
    expect(grants.map(({ bytes, signal }) => [bytes.length, signal.aborted])).toEqual([[3, false], [3, false], [3, false]])
    expect([reads(), offers.held()[0]?.state]).toEqual([1, 'reading'])
    grants[0]!.sent()
    grants[1]!.failed()
    expect(offers.complete({ ...ticket, attempt: 9 })).toBe(false)
    expect(offers.held()[0]?.state).toBe('reading')
    grants[2]!.sent()
    expect(offers.held()[0]?.state).toBe('offered')
    const reading = granted(await offers.open({ ...ticket, attempt: 0 }))
    offers.release(ticket.offer)
    expect([reading.signal.aborted, offers.held(), ends]).toEqual([true, [], ['aborted']])
    expect(await offers.open({ ...ticket, attempt: 9 })).toBe('gone')
  })

  it('the lease of a shared offer ends when nobody reads', async () => {
    const { clock, offers, source, ends } = house()
    const ticket = offers.make(source, { id: 'req', attempt: 0, leaseMs: 1_000, shared: true, onEnd: (how) => ends.push(how) })
    const grant = granted(await offers.open({ ...ticket, attempt: 0 }))
    clock.setTimer(5_000, () => undefined)
    await clock.advance(5_000)
    expect(ends).toEqual([])
    grant.sent()
    await clock.advance(5)
    expect(ends).toEqual(['expired'])
  })

  it('bytes in the making keep nobody else waiting, and when they fail the offer is gone', async () => {
    const { offers, source } = house({ slots: 1 })
    const { promise, reject } = Promise.withResolvers<never>()
    promise.catch(() => undefined)
    const making = offers.make({ bytes: 3, ready: promise, read: () => promise }, { id: 'req', attempt: 1, leaseMs: 1_000 })
    const waiting = offers.open({ ...making, attempt: 1 })
    await settled()
    const other = offers.make(source, { id: 'req', attempt: 1, leaseMs: 1_000 })
    granted(await offers.open({ ...other, attempt: 1 })).sent()
    reject(new Error('the encoder failed'))
    expect(await waiting).toBe('gone')
    expect(await offers.open({ ...making, attempt: 2 })).toBe('gone')
  })
})

describe('Buffers', () => {
  it('gives the same memory again to a pull of about the same size, and lets idle memory go', async () => {
    const clock = new VirtualClock()
    const buffers = new Buffers(clock)
    const first = buffers.take(3_000_000)
    expect(first.length).toBe(3_000_000)
    buffers.give(first)
    const second = buffers.take(2_500_000)
    expect(second.buffer).toBe(first.buffer)
    buffers.give(second)
    expect(buffers.take(100).buffer).not.toBe(first.buffer)
    await clock.advance(60_000)
    expect(buffers.idleBytes).toBe(0)
  })
})
