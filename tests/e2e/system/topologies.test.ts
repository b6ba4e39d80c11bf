import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually, noSystem, startSystem, type System, type SystemOptions } from '../../helpers/system.ts'
import type { Question } from '../../helpers/system-http.ts'
import { askAll, questions, spanningText, texts } from '../../helpers/system-table.ts'
import { NOTHING_LEFT } from '../../helpers/system-watch.ts'

if (noSystem) console.log(`systems are not started: ${noSystem}`)
let system: System | undefined
let table: Record<string, Question>
let expected: Record<string, string>

const apart = (over: SystemOptions): SystemOptions => ({ labels: 'prefill=1,decode=1', ...over })
const TOPOLOGIES: { name: string; options: SystemOptions; moves: boolean; mode?: string }[] = [
  { name: 'two instances of one process, over memory', options: apart({ perProcess: 2, transfer: 'memory' }), moves: true },
  { name: 'two processes, over a unix socket', options: apart({ transfer: 'unix' }), moves: true },
  { name: 'two processes, over TCP', options: apart({ transfer: 'tcp' }), moves: true },
  { name: 'two processes, over NATS', options: apart({ transfer: 'nats' }), moves: true },
  { name: 'three instances in turns', options: { instances: 3, policy: 'round-robin' }, moves: true },
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

  it.each(TOPOLOGIES)('$name', async ({ options, moves }) => {
    system = await startSystem(options)
    const { http, watch } = system
    const answers = await askAll(http, table, 8)
    expect(texts(answers)).toEqual(expected)
    // Again: prompts are in the prefix cache now.
    expect(texts(await askAll(http, table, 4)), 'asked again').toEqual(expected)
    const { history } = await watch.request(answers['a long prompt']!.id)
    const claimed = history.flatMap((t) => (t.state === 'claimed' ? [(t['detail'] as { phase: string }).phase] : []))
    expect(claimed).toEqual(['prefill', 'transfer', 'decode'])
    if (moves) expect(history.find((t) => t.state === 'decode')!['detail']).toMatchObject({ kvBytes: expect.any(Number) })
    await eventually(async () => JSON.stringify(await watch.leftovers()) === JSON.stringify(NOTHING_LEFT) || new Error(JSON.stringify(await watch.leftovers())), 5_000)
  }, 120_000)
})
