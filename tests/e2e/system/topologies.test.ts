import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { noSystem, nothingIsLeft, SOON_MS, startSystem, type System, type SystemOptions } from '../../helpers/system.ts'
import type { Question } from '../../helpers/system-http.ts'
import { askAll, questions, spanningText, texts } from '../../helpers/system-table.ts'

if (noSystem) console.log(`systems are not started: ${noSystem}`)
let system: System | undefined
let table: Record<string, Question>
let expected: Record<string, string>

const apart = (over: SystemOptions): SystemOptions => ({ labels: 'prefill=1,decode=1', ...over })
/** `mode` = how KV must have moved. */
const TOPOLOGIES: { name: string; options: SystemOptions; mode: string }[] = [
  {
    name: 'two instances of one process, over memory',
    options: apart({ perProcess: 2, transfer: 'memory' }),
    mode: 'memory',
  },
  { name: 'two processes, over a unix socket', options: apart({ transfer: 'unix' }), mode: 'unix' },
  { name: 'two processes, over TCP', options: apart({ transfer: 'tcp' }), mode: 'tcp' },
  { name: 'two processes, over NATS', options: apart({ transfer: 'nats' }), mode: 'nats' },
  { name: 'three instances in turns', options: { instances: 3, policy: 'round-robin' }, mode: 'unix' },
]

describe.skipIf(noSystem !== undefined)('the same answers, byte for byte', () => {
  beforeAll(async () => {
    const one = await startSystem({ instances: 1 })
    try {
      table = questions(await spanningText(one.http))
      const answers = await askAll(one.http, table, 1)
      expected = texts(answers)
      expect(Object.values(expected).filter((answer) => !answer.startsWith('200 '))).toEqual([])
      expect(texts(await askAll(one.http, table, 8)), 'all at once').toEqual(expected)
    } finally {
      await one.close()
    }
  }, 120_000)
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log(system?.log())
    await system?.close()
    system = undefined
  })

  it.each(TOPOLOGIES)('$name', async ({ options, mode }) => {
    system = await startSystem(options)
    const { http, watch } = system
    const first = await askAll(http, table, 8)
    expect(texts(first)).toEqual(expected)
    // Prompts are in the prefix cache now.
    const again = await askAll(http, table, 4)
    expect(texts(again), 'asked again').toEqual(expected)
    const modes = new Set<unknown>()
    let cachedTokens = 0
    for (const { id } of [...Object.values(first), ...Object.values(again)]) {
      for (
        const { detail } of (await watch.request(id)).history as unknown as {
          detail: { mode?: string; cachedTokens?: number }
        }[]
      ) {
        if (detail.mode !== undefined) modes.add(detail.mode)
        cachedTokens += detail.cachedTokens ?? 0
      }
    }
    expect([...modes]).toEqual([mode])
    expect(cachedTokens).toBeGreaterThan(0)
    await nothingIsLeft(system, SOON_MS)
  }, 120_000)
})
