import { describe, expect, it } from 'vitest'
import { type Delta, deltas, type GenerationOptions } from '../../../actors/gateway/http/generation.ts'
import type { TokenOut } from '../../../runtime/engine/engine.ts'
import { byteModel, END } from '../../helpers/byte-model.ts'

const model = byteModel({ words: [' world!', 'St', 'op'] })
const [WORLD, ST, OP] = [258, 259, 260] as const

/** Tokens of choice 0, the last with a finish. */
const tokens = (ids: number[], finish?: 'stop' | 'length', choice = 0): TokenOut[] =>
  ids.map((token, index) => ({ choice, index, token, ...(finish && index === ids.length - 1 ? { finish } : {}) }))

async function read(batches: TokenOut[][], options: Partial<GenerationOptions> = {}): Promise<Delta[][]> {
  async function* source() {
    yield* batches
  }
  const all: Delta[][] = []
  const defaults = { model, stop: [], stopTokens: [END], n: 1, continues: false }
  for await (const step of deltas(source(), { ...defaults, ...options })) all.push(step)
  return all
}
const text = (steps: Delta[][], choice = 0) =>
  steps.flat().filter((d) => d.choice === choice).map((d) => d.text).join('')
const last = (steps: Delta[][]) => steps.flat().at(-1)!

describe('deltas()', () => {
  it('shows the part of the last token that stands before a stop string', async () => {
    const steps = await read([tokens([72, WORLD], 'stop')], { stop: ['ld!'] })
    expect(text(steps)).toBe('H wor')
    expect(last(steps).finish).toBe('stop')
  })

  it('finds a stop string over two tokens although the sender did not, and shows nothing after it', async () => {
    const steps = await read(
      [tokens([72]), tokens([72, ST]).slice(1), tokens([72, ST, OP, WORLD], 'length').slice(2)],
      {
        stop: ['Stop'],
      },
    )
    expect(text(steps)).toBe('H')
    expect(last(steps).finish).toBe('stop')
    expect(steps.flat().flatMap((d) => d.tokens)).toHaveLength(3)
  })

  it('shows what was held back when the limit ends the choice', async () => {
    expect(text(await read([tokens([72, ST], 'length')], { stop: ['Stop'] }))).toBe('HSt')
  })

  it('shows a replacement for a character that stays incomplete', async () => {
    expect(text(await read([tokens([72, 0xc3], 'length')]))).toBe('H\ufffd')
    expect(text(await read([tokens([72, 0xc3, END], 'stop')]))).toBe('H\ufffd')
  })

  it('keeps a stop token of the caller out of the text', async () => {
    expect(text(await read([tokens([72, 105], 'stop')], { stopTokens: [105] }))).toBe('H')
  })

  it('shows a leading space only where a prompt is continued', async () => {
    const spaced = byteModel({ words: [' world!'], stripsLeadingSpace: true })
    expect(text(await read([tokens([WORLD, END], 'stop')], { model: spaced }))).toBe('world!')
    expect(text(await read([tokens([WORLD, END], 'stop')], { model: spaced, continues: true }))).toBe(' world!')
  })

  it('merges what one step brings for a choice, in order of choice', async () => {
    const steps = await read([[...tokens([98, 66], 'length', 1), ...tokens([97, 65], 'length', 0)]], { n: 2 })
    expect(steps.map((step) => step.map((d) => [d.choice, d.text, d.finish]))).toEqual([
      [[0, 'aA', 'length'], [1, 'bB', 'length']],
    ])
  })

  it('has no text without a tokenizer, but the tokens', async () => {
    const steps = await read([tokens([1, 2], 'length')], { model: byteModel({ hasTokenizer: false }) })
    expect(last(steps)).toMatchObject({ text: '', finish: 'length', tokens: [{ token: 1 }, { token: 2 }] })
  })

  it('throws when the tokens end before a choice has', async () => {
    await expect(read([tokens([72])])).rejects.toMatchObject({ code: 'internal' })
  })
})
