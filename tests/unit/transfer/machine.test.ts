import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isLive,
  isPinned,
  type LiveTransfer,
  offered,
  transfer,
  type TransferEvent,
  type TransferState,
} from '../../../runtime/transfer/machine.ts'

const run = (...events: TransferEvent[]) =>
  events.reduce((step, event) => transfer(step.next, event), {
    next: offered(1, 100) as TransferState,
    effects: [] as unknown[],
    refused: false,
  })
const redeem = (attempt: number, reader: number): TransferEvent => ({
  type: 'REDEEM',
  attempt,
  reader,
  leaseUntilMs: 200,
})

describe('transfer()', () => {
  it('goes offered, admitted, reading, verifying, completed, and frees at the end', () => {
    const path = [redeem(2, 1), { type: 'READ', reader: 1 }, { type: 'SENT', reader: 1 }, {
      type: 'COMPLETED',
      attempt: 2,
    }]
    const seen: string[] = []
    let state: TransferState = offered(1, 100)
    for (const event of path as TransferEvent[]) {
      const step = transfer(state, event)
      expect(step.refused).toBe(false)
      state = step.next
      seen.push(state.state)
    }
    expect(seen).toEqual(['admitted', 'reading', 'verifying', 'completed'])
  })

  it('a higher attempt redeems again and aborts the lower; the lower is refused from then on', () => {
    const step = run(redeem(2, 1), { type: 'READ', reader: 1 }, redeem(3, 2))
    expect(step.effects).toEqual([{ kind: 'abort', reader: 1 }])
    expect(transfer(step.next, redeem(2, 3)).refused).toBe(true)
    expect(transfer(step.next, { type: 'SENT', reader: 1 }).refused).toBe(true)
  })

  it('refuses attempts below the one that offered', () => {
    expect(run(redeem(0, 1)).refused).toBe(true)
  })

  it('counts COMPLETED only with the last redeemer’s attempt', () => {
    const reading = run(redeem(2, 1), redeem(3, 2), { type: 'READ', reader: 2 }).next
    expect(transfer(reading, { type: 'COMPLETED', attempt: 2 }).refused).toBe(true)
    expect(transfer(reading, { type: 'COMPLETED', attempt: 3 }).next.state).toBe('completed')
    expect(run({ type: 'COMPLETED', attempt: 1 }).refused).toBe(true)
  })

  it('the end of a lease frees, but not under a reader’s hands', () => {
    expect(run({ type: 'TICK', nowMs: 99 }).refused).toBe(true)
    expect(run({ type: 'TICK', nowMs: 100 }).next.state).toBe('expired')
    const reading = run(redeem(2, 1), { type: 'READ', reader: 1 }).next
    expect(transfer(reading, { type: 'TICK', nowMs: 1_000 }).refused).toBe(true)
    const failed = transfer(reading, { type: 'FAILED', reader: 1 }).next
    expect(failed.state).toBe('offered')
    expect(transfer(failed, { type: 'TICK', nowMs: 1_000 }).next.state).toBe('expired')
  })

  it('whatever happens: attempts never fall, an end stays and frees once, only the current reader moves it', () => {
    const reader = fc.integer({ min: 1, max: 4 })
    const attempt = fc.integer({ min: 0, max: 4 })
    const event: fc.Arbitrary<TransferEvent> = fc.oneof(
      fc.record({ type: fc.constant('REDEEM' as const), attempt, reader, leaseUntilMs: fc.nat(300) }),
      fc.record({ type: fc.constantFrom('READ' as const, 'SENT' as const, 'FAILED' as const), reader }),
      fc.record({ type: fc.constant('COMPLETED' as const), attempt }),
      fc.record({ type: fc.constant('RENEWED' as const), attempt, leaseUntilMs: fc.nat(300) }),
      fc.record({ type: fc.constant('TICK' as const), nowMs: fc.nat(300) }),
      fc.constant({ type: 'RELEASED' as const }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), fc.boolean(), (events, shared) => {
        let state: TransferState = offered(1, 100, shared)
        let frees = 0
        for (const event of events) {
          const { next, effects, refused } = transfer(state, event)
          frees += effects.filter(({ kind }) => kind === 'free').length
          if (refused) expect([next, effects]).toEqual([state, []])
          if (!isLive(state)) expect(next).toBe(state)
          else if (isLive(next)) {
            expect(next.attempt).toBeGreaterThanOrEqual((state as LiveTransfer).attempt)
            if (shared) expect(next.state).toBe(next.readers! > 0 ? 'reading' : 'offered')
            else if (next.state !== 'offered') expect(next.reader).toBeDefined()
            if (!shared && isPinned(next)) expect(next.redeemer).toBe(next.attempt)
          }
          state = next
        }
        expect(frees).toBe(isLive(state) ? 0 : 1)
      }),
    )
  })
})
