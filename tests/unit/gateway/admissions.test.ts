import { expect, test } from 'vitest'
import { Admissions } from '../../../actors/gateway/admissions.ts'
import type { Bus } from '../../../runtime/bus/bus.ts'
import { realClock } from '../../../runtime/clock.ts'
import { AccuracyKeeper } from '../../../runtime/pool/accuracy.ts'
import type { LedgerEntry } from '../../../runtime/pool/ledger.ts'
import { prefillMs } from '../../../runtime/policy/mod.ts'
import { instance } from '../policy/views.ts'

test('what a gateway expects is the least wait and prefill of those that take prompts, alone or beside another phase', () => {
  const entries: LedgerEntry[] = []
  const bus = { publish: (_: string, text: string) => void entries.push(JSON.parse(text) as LedgerEntry) } as unknown as Bus
  const admissions = new Admissions({ bus, clock: realClock, gateway: 'g', accuracy: new AccuracyKeeper(bus, 'g') })
  const all = [
    instance('a', { label: 'encode+prefill', prefillWaitMs: 50 }),
    instance('b', { label: 'prefill+decode', prefillWaitMs: 20 }),
    instance('c', { label: 'decode' }),
    instance('d', { label: 'encode+decode' }),
    instance('e', { draining: true }),
  ]
  admissions.taken('r', 1_000, all, 0)
  const ms = prefillMs(all[0]!.profile, 1_000)
  expect([entries[0]!.scores, entries[0]!.predictedMs]).toEqual([{ a: 50 + ms, b: 20 + ms }, 20 + ms])
})
