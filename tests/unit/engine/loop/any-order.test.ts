import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isVolleyError, VolleyError } from '../../../../runtime/errors.ts'
import type { GivenVectors } from '../../../../runtime/engine/engine.ts'
import { handled } from '../../../../runtime/engine/handled.ts'
import type { EngineCore } from '../../../../runtime/engine/loop/core.ts'
import { byChoice, closeToys, drawn, generate, patience, prompt, toyEngine } from '../../../helpers/toy-engine.ts'
import { withPlaces } from '../../../helpers/toy-pictures.ts'
import { encodeJob, toyImage, toyVision } from '../../../helpers/toy-vision.ts'

/** One tile of one of three pictures, so many tokens after the one before. */
interface Tile {
  gap: number
  seed: number
  tile: number
  /** When it is asked for; it may be lost then. */
  after: number
  lost: boolean
}

/** One request's life: where it is cut off, if at all, counted in steps of the engine. */
interface Life {
  length: number
  pictures: Tile[]
  seed: number
  choices: number
  maxTokens: number
  arrives: number
  /** Through another engine on its way to decode. */
  moves: boolean
  end: { kind: 'none' | 'abort' | 'stop' | 'release'; after: number }
}

const tile: fc.Arbitrary<Tile> = fc.record({
  gap: fc.nat(9),
  seed: fc.nat(2),
  tile: fc.nat(12),
  after: fc.nat(12),
  lost: fc.nat(19).map((n) => n === 0),
})

const life: fc.Arbitrary<Life> = fc.record({
  length: fc.integer({ min: 1, max: 45 }),
  pictures: fc.oneof(fc.constant<Tile[]>([]), fc.array(tile, { maxLength: 4 })),
  seed: fc.nat(2),
  choices: fc.integer({ min: 1, max: 3 }),
  maxTokens: fc.integer({ min: 1, max: 20 }),
  arrives: fc.nat(25),
  moves: fc.boolean(),
  end: fc.record({ kind: fc.constantFrom('none', 'none', 'abort', 'stop', 'release'), after: fc.nat(25) }),
})

/** What a request may fail with here; anything else is a bug. */
const EXPECTED = ['cancelled', 'kv_exhausted', 'kv_lost']

/** Its prompt with its tiles' vectors: from `encoder`, when `when` says. */
function content(
  { length, seed, pictures }: Life,
  encoder: EngineCore,
  signal: AbortSignal,
  when: (steps: number) => Promise<void> = () => Promise.resolve(),
): { tokens: number[]; given: GivenVectors[] } {
  let at = 0
  const given = pictures.map(({ gap, after, lost, ...own }) => {
    const start = at + gap
    at = start + 3
    const encode = () => encoder.encode!(encodeJob(toyImage(20, 12, own.seed), [own.tile]), signal)
    const loss = new VolleyError('kv_lost', 'the vectors are gone')
    const vectors = handled(when(after).then(() => (lost ? Promise.reject(loss) : encode())))
    return { start, tokens: 3, name: `${own.seed}/${own.tile}`, vectors }
  })
  return { tokens: withPlaces(prompt(length + at, seed), given), given }
}

const truths = new Map<string, number[][]>()
async function truth(own: Life, batchInvariant: boolean): Promise<number[][]> {
  const { length, seed, maxTokens } = own
  const pictures = own.pictures.map((each) => ({ ...each, lost: false, after: 0 }))
  const key = JSON.stringify([length, seed, maxTokens, batchInvariant, pictures])
  const { engine } = toyEngine({ batchInvariant }, { vision: toyVision() })
  if (!truths.has(key)) {
    const { tokens, given } = content({ ...own, pictures }, engine, patience())
    truths.set(key, (await generate(engine, tokens, { ...drawn, seed, maxTokens }, { choices: 3, given })).tokens)
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
        const vision = () => toyVision({ together: 2, during: () => setImmediate() })
        const toy = { batchInvariant, during: () => setImmediate() }
        const { engine: a } = toyEngine(toy, { ...sizes, vision: vision() })
        const { engine: b } = toyEngine(toy, { ...sizes, vision: vision(), blocksTotal: 30 })
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
  120_000,
)

async function live(
  own: Life,
  name: string,
  first: EngineCore,
  second: EngineCore,
  later: (steps: number) => Promise<void>,
  batchInvariant: boolean,
): Promise<void> {
  const { seed, choices, maxTokens, end } = own
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
    const { tokens, given } = content(own, second, signal, later)
    const begun = await first.prefill({ hold: name, tokens, sampling, choices, given }, signal)
    if (second !== first) {
      const { bytes, digest } = await first.exportHold(name)
      first.release(name)
      const marks = given.map(({ vectors: _, ...mark }) => mark)
      await second.importHold({ ...begun.hold, tokenIds: tokens, given: marks }, bytes, digest)
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
