import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isVolleyError } from '../../../../runtime/errors.ts'
import type { EngineCore } from '../../../../runtime/engine/loop/core.ts'
import { byChoice, closeToys, drawn, generate, patience, prompt, toyEngine } from '../../../helpers/toy-engine.ts'

/** One request's life: where it is cut off, if at all, counted in steps of the engine. */
interface Life {
  length: number
  seed: number
  choices: number
  maxTokens: number
  arrives: number
  /** Through another engine on its way to decode. */
  moves: boolean
  end: { kind: 'none' | 'abort' | 'stop' | 'release'; after: number }
}

const life: fc.Arbitrary<Life> = fc.record({
  length: fc.integer({ min: 1, max: 45 }),
  seed: fc.nat(2),
  choices: fc.integer({ min: 1, max: 3 }),
  maxTokens: fc.integer({ min: 1, max: 20 }),
  arrives: fc.nat(25),
  moves: fc.boolean(),
  end: fc.record({ kind: fc.constantFrom('none', 'none', 'abort', 'stop', 'release'), after: fc.nat(25) }),
})

/** What a request may fail with here; anything else is a bug. */
const EXPECTED = ['cancelled', 'kv_exhausted', 'kv_lost']

const truths = new Map<string, number[][]>()
async function truth({ length, seed, maxTokens }: Life, batchInvariant: boolean): Promise<number[][]> {
  const key = [length, seed, maxTokens, batchInvariant].join()
  const { engine } = toyEngine({ batchInvariant })
  if (!truths.has(key)) {
    truths.set(
      key,
      (await generate(engine, prompt(length, seed), { ...drawn, seed, maxTokens }, { choices: 3 })).tokens,
    )
  }
  return truths.get(key)!
}

test.each([true, false])(
  'whatever is asked in whatever order: right tokens, no block lost (batchInvariant %s)',
  async (batchInvariant) => {
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 10 }), async (lives) => {
        let steps = 0
        const waiting: { step: number; go: () => void }[] = []
        const onStep = () => {
          steps++
          for (const each of waiting) if (each.step <= steps) each.go()
        }
        const sizes = { blocksTotal: 40, maxBatch: 3, onStep }
        const { engine: a } = toyEngine({ batchInvariant, during: () => setImmediate() }, sizes)
        const { engine: b } = toyEngine({ batchInvariant, during: () => setImmediate() }, { ...sizes, blocksTotal: 30 })
        /** Resolves after so many more steps, or soon when nothing steps. */
        const later = (count: number) =>
          new Promise<void>((resolve) => {
            waiting.push({ step: steps + count, go: resolve })
            setTimeout(resolve, 5)
          })
        await Promise.all(lives.map((each, i) => live(each, `r${i}`, a, each.moves ? b : a, later, batchInvariant)))
        await closeToys()
      }),
      { numRuns: 60 },
    )
  },
)

async function live(
  own: Life,
  name: string,
  first: EngineCore,
  second: EngineCore,
  later: (steps: number) => Promise<void>,
  batchInvariant: boolean,
): Promise<void> {
  const { length, seed, choices, maxTokens, end } = own
  const tokens = prompt(length, seed)
  const sampling = { ...drawn, seed, maxTokens }
  const abort = new AbortController()
  let stop = (_choice: number) => {}
  await later(own.arrives)
  const over = later(end.after).then(() => {
    if (end.kind === 'abort') abort.abort()
    else if (end.kind === 'stop') stop(0)
    else if (end.kind === 'release') { for (const engine of [first, second]) engine.release(name) }
  })
  try {
    const signal = AbortSignal.any([abort.signal, patience()])
    const begun = await first.prefill({ hold: name, tokens, sampling, choices }, signal)
    if (second !== first) {
      const { bytes, digest } = await first.exportHold(name)
      first.release(name)
      await second.importHold({ ...begun.hold, tokenIds: tokens }, bytes, digest)
    }
    const outs = [...begun.first]
    const open = begun.first.filter((out) => !out.finish).map(({ choice, token }) => ({ choice, generated: [token] }))
    if (open.length > 0) {
      const job = { hold: name, prompt: tokens, sampling, choices: open }
      const run = second.decode(job, (more) => outs.push(...more), signal)
      stop = run.stop
      await run.done
    }
    const expected = await truth(own, batchInvariant)
    for (const [choice, got] of byChoice(outs, choices).entries()) {
      const whole = expected[choice]!
      const stopped = end.kind === 'stop' && choice === 0
      expect(got).toEqual(stopped ? whole.slice(0, got.length) : whole)
    }
  } catch (error) {
    if (!isVolleyError(error) || !EXPECTED.includes(error.code)) throw error
  }
  await over
  for (const engine of [first, second]) engine.release(name)
}
