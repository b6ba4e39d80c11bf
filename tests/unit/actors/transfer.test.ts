import { expect, test } from 'vitest'
import { transfer } from '../../../actors/transfer/actor.ts'
import { VolleyError } from '../../../runtime/errors.ts'
import type { ActorContext } from '../../../runtime/pool/actor.ts'

/** A transfer whose import does as it is told; answers how often the pulled memory was given back, and when. */
async function run(importHold: () => Promise<void>): Promise<{ event: unknown; steps: string[] }> {
  const steps: string[] = []
  const kv = {
    instance: 'other',
    incarnation: 'x',
    hold: 'h',
    tokens: 2,
    bytes: 4,
    blocks: 1,
    numerics: 'n',
    ticket: {},
  }
  const services = {
    engine: { importHold: () => (steps.push('import'), importHold()) },
    holds: { has: () => false, keep: () => steps.push('keep') },
    inputs: { resolve: (prompt: unknown) => Promise.resolve(prompt) },
    transfer: {
      pull: () =>
        Promise.resolve({ bytes: new Uint8Array(4), digest: '', mode: 'unix', recycle: () => steps.push('recycle') }),
    },
  }
  const context = {
    id: 'r',
    attempt: 2,
    context: { kv, prompt: [1, 2] },
    instance: { id: 'here', incarnation: 'y' },
    signal: new AbortController().signal,
    clock: { monotonic: () => 0 },
    services,
  }
  return { event: await transfer.run(context as unknown as ActorContext), steps }
}

test('a transfer gives the memory of its pull back as soon as the engine has read it', async () => {
  const { event, steps } = await run(() => Promise.resolve())
  expect(event).toMatchObject({ type: 'TRANSFERRED', report: { mode: 'unix' } })
  expect(steps).toEqual(['import', 'recycle', 'keep'])
})

test('a transfer gives the memory of its pull back when the engine refuses it', async () => {
  const { event, steps } = await run(() => Promise.reject(new VolleyError('transfer_failed', 'Broken')))
  expect(event).toMatchObject({ type: 'KV_LOST' })
  expect(steps).toEqual(['import', 'recycle'])
})
