import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SamplingParams } from '../../../runtime/engine/engine.ts'
import { sample } from '../../../runtime/engine/sampler.ts'
import { expNegative } from '../../../runtime/engine/sampler-exp.ts'
import { hasPenalties, Penalties } from '../../../runtime/engine/sampler-penalties.ts'
import { philox4x32, uniform } from '../../../runtime/engine/sampler-random.ts'
import { findCut } from '../../../runtime/engine/sampler-truncate.ts'
import { drawn, greedy } from '../../helpers/toy-engine.ts'

const logits = Float32Array.of(0.5, 2, -1, 2, 1.5, -3)
const softmax = (values: ArrayLike<number>, temperature = 1) => {
  const weights = Array.from(values, (value) => Math.exp(value / temperature))
  const mass = weights.reduce((a, b) => a + b)
  return weights.map((weight) => weight / mass)
}

/** How often each token is drawn over many indices, as shares. */
function shares(sampling: Partial<SamplingParams>, from = logits, draws = 8_000): number[] {
  const counts = new Array<number>(from.length).fill(0)
  for (let index = 0; index < draws; index++) {
    counts[sample(from, { sampling: { ...drawn, ...sampling }, choice: 0, index, penalties: undefined }).token]!++
  }
  return counts.map((count) => count / draws)
}

/** The token that greedy takes after `output`. */
function best(sampling: Partial<SamplingParams>, prompt: number[] = [], output: number[] = []): number {
  const params = { ...greedy, ...sampling }
  const penalties = hasPenalties(params) ? new Penalties(prompt) : undefined
  for (const token of output) penalties?.add(token)
  return sample(logits, { sampling: params, choice: 0, index: output.length, penalties }).token
}

describe('Philox 4x32-10', () => {
  // Known answers from the Random123 distribution.
  test.each(
    [
      [[0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
      [[-1, -1, -1, -1], [-1, -1], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
      [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], [
        0xd16cfe09,
        0x94fdcceb,
        0x5001e420,
        0x24126ea1,
      ]],
    ] as const,
  )('answers counter %j, key %j as published', (counter, key, words) => {
    const [a, b, c, d] = counter.map((word) => word >>> 0)
    expect(philox4x32([a!, b!, c!, d!], [key[0] >>> 0, key[1] >>> 0])).toEqual(words)
  })

  test('uniform() is uniform, and without memory of neighbours', () => {
    const [draws, bins] = [200_000, 64]
    for (
      const vary of [(i: number) => uniform(1, 0, i), (i: number) => uniform(i, 0, 0), (i: number) => uniform(1, i, 5)]
    ) {
      const counts = new Array<number>(bins).fill(0)
      let [sum, product, last] = [0, 0, 0]
      for (let i = 0; i < draws; i++) {
        const u = vary(i)
        if (!(u >= 0 && u < 1)) throw new Error(`${u} is not in [0, 1)`)
        counts[Math.floor(u * bins)]!++
        sum += u
        product += u * last
        last = u
      }
      const expected = draws / bins
      const chiSquare = counts.reduce((chi, count) => chi + (count - expected) ** 2 / expected, 0)
      // 63 degrees of freedom: below 110 with probability 0.9998; the sequence is fixed, so this never flickers.
      expect(chiSquare).toBeLessThan(110)
      expect(Math.abs(sum / draws - 1 / 2)).toBeLessThan(0.002)
      expect(Math.abs(product / draws - 1 / 4)).toBeLessThan(0.002)
    }
  })

  test('uniform() depends on seed, choice and index, over all 32 bits of the seed', () => {
    const all = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0x80000000, 0, 0], [0xffffffff, 0, 0]] as const
    expect(new Set(all.map(([seed, choice, index]) => uniform(seed, choice, index))).size).toBe(6)
  })
})

test('expNegative() is the exponential function to 1e-15', () => {
  expect(expNegative(0)).toBe(1)
  expect(expNegative(-Infinity)).toBe(0)
  expect(expNegative(-1e9)).toBe(0)
  fc.assert(fc.property(fc.double({ min: -690, max: 0, noNaN: true }), (x) => {
    expect(Math.abs(expNegative(x) / Math.exp(x) - 1)).toBeLessThan(2e-15)
  }))
  // Fixed bits: a change here changes what seeds give.
  expect([-0.1, -1, -10, -100].map(expNegative)).toEqual([
    0.9048374180359596,
    0.36787944117144233,
    0.000045399929762484854,
    3.720075976020836e-44,
  ])
})

describe('greedy', () => {
  test('takes the greatest, the lowest id on ties', () => {
    expect(best({})).toBe(1)
  })

  test('logit_bias moves and bans; ids beyond the vocabulary are left alone', () => {
    expect(best({ logitBias: [[5, 10]] })).toBe(5)
    expect(best({ logitBias: [[1, -100], [3, -100]] })).toBe(4)
    expect(best({ logitBias: [[99, 5]] })).toBe(1)
  })

  test('presence_penalty counts once, frequency_penalty every time, both the output only', () => {
    expect(best({ presencePenalty: 0.1 }, [1])).toBe(1)
    expect(best({ presencePenalty: 0.1 }, [], [1])).toBe(3)
    expect(best({ presencePenalty: 0.3 }, [], [1, 1, 1, 3])).toBe(1)
    expect(best({ frequencyPenalty: 0.3 }, [], [1, 1, 1, 3])).toBe(3)
    expect(best({ presencePenalty: -2 }, [], [0])).toBe(0)
  })

  test('repetition_penalty counts prompt and output, and lowers negative logits too', () => {
    expect(best({ repetitionPenalty: 2 }, [1])).toBe(3)
    expect(best({ repetitionPenalty: 2 }, [1], [3])).toBe(4)
    // A token of both counts once: 2 / 1.2 is still more than 1.5.
    expect(best({ repetitionPenalty: 1.2 }, [1, 3], [1, 3])).toBe(1)
    expect(best({ repetitionPenalty: 2, logitBias: [[0, -1], [1, -9], [3, -9], [4, -9], [5, -9]] }, [0])).toBe(0)
    expect(best({ repetitionPenalty: 3, logitBias: [[0, -1], [1, -9], [3, -9], [4, -9], [5, -9]] }, [0])).toBe(2)
  })

  test('bias comes before penalties', () => {
    // (0.5 + 5) / 2 = 2.75 beats 2; the other order would give 5.25, too, but 2.75 loses against (2 + 0.8).
    expect(best({ repetitionPenalty: 2, logitBias: [[0, 5], [1, 0.8]] }, [0])).toBe(1)
  })

  test('seed, choice and index play no part', () => {
    const at = (choice: number, index: number) =>
      sample(logits, { sampling: greedy, choice, index, penalties: undefined }).token
    expect([at(0, 0), at(3, 9)]).toEqual([1, 1])
  })
})

describe('drawing', () => {
  test.each([0.3, 1, 2])('follows the softmax at temperature %s', (temperature) => {
    const expected = softmax(logits, temperature)
    shares({ temperature }).forEach((share, id) => expect(Math.abs(share - expected[id]!)).toBeLessThan(0.02))
  })

  test('top_k keeps the k likeliest, ties by id', () => {
    expect(shares({ topK: 1 })).toEqual([0, 1, 0, 0, 0, 0])
    const two = shares({ topK: 2 })
    expect(two.map((share) => share > 0)).toEqual([false, true, false, true, false, false])
    expect(Math.abs(two[1]! - 0.5)).toBeLessThan(0.02)
  })

  test('min_p is relative to the likeliest', () => {
    // e^-0.5 = 0.61 and e^-1.5 = 0.22 of the best
    expect(shares({ minP: 0.6 }).map((share) => share > 0)).toEqual([false, true, false, true, true, false])
    expect(shares({ minP: 0.2 }).map((share) => share > 0)).toEqual([true, true, false, true, true, false])
  })

  test('top_p keeps the shortest head that reaches the mass, after temperature and top_k', () => {
    const [first, second] = softmax(logits).toSorted((a, b) => b - a)
    expect(shares({ topP: first! - 0.01 })).toEqual([0, 1, 0, 0, 0, 0])
    expect(shares({ topP: first! + second! + 0.01 }).map((share) => share > 0)).toEqual([
      false,
      true,
      false,
      true,
      true,
      false,
    ])
    // Of the two that top_k leaves, half the mass is one.
    expect(shares({ topK: 2, topP: 0.5 })).toEqual([0, 1, 0, 0, 0, 0])
  })

  test('a banned token is never drawn, and a near-zero temperature is greedy', () => {
    expect(shares({ logitBias: [[1, -Infinity]] })[1]).toBe(0)
    expect(shares({ temperature: 1e-6, logitBias: [[3, -1]] })).toEqual([0, 1, 0, 0, 0, 0])
  })

  test('findCut() keeps what sorting everything would', () => {
    // Multiples of 2^-46: sums of sixty are exact in any order, so that no rounding decides where the cut falls.
    const weight = fc.oneof(
      fc.double({ min: 0, max: 1, noNaN: true }).map((x) => Math.round(x ** 40 * 2 ** 46) / 2 ** 46),
      fc.constantFrom(0.25, 0.5),
    )
    const wanted = fc.record({
      topK: fc.nat(12),
      minP: fc.constantFrom(0, 1e-9, 0.01, 0.5),
      topP: fc.constantFrom(1, 0.999999, 0.9, 0.1),
    })
    fc.assert(
      fc.property(fc.array(weight, { minLength: 1, maxLength: 60 }), wanted, (weights, { topK, minP, topP }) => {
        weights[weights.length >> 1] = 1
        const all = weights.map((_, id) => id).filter((id) => weights[id]! >= Math.max(minP, Number.MIN_VALUE))
        all.sort((a, b) => weights[b]! - weights[a]! || a - b)
        const likeliest = topK > 0 ? all.slice(0, topK) : all
        const mass = likeliest.reduce((sum, id) => sum + weights[id]!, 0)
        let reached = 0
        const head = likeliest.filter((id) => {
          const before = reached
          reached += weights[id]!
          return topP >= 1 || before < topP * mass
        })
        const cut = findCut(Float64Array.from(weights), { topK, minP, topP })
        const none = (topK === 0 || topK >= weights.length) && minP === 0 && topP === 1
        expect(cut === undefined).toBe(none)
        if (cut === undefined) return
        let { ties } = cut
        const kept = weights.map((_, id) => id).filter((id) =>
          weights[id]! > cut.weight || (weights[id] === cut.weight && ties-- > 0)
        )
        expect(kept).toEqual(head.toSorted((a, b) => a - b))
      }),
      { numRuns: 500 },
    )
  })
})

describe('logprobs', () => {
  const log = softmax(logits).map(Math.log)
  const at = (sampling: Partial<SamplingParams>) =>
    sample(logits, { sampling: { ...greedy, ...sampling }, choice: 0, index: 0, penalties: undefined })

  test('none unless asked for; 0 = the chosen token’s only', () => {
    expect(at({})).toEqual({ token: 1 })
    expect(at({ topLogprobs: 0 })).toEqual({ token: 1, logprob: expect.closeTo(log[1]!, 9) })
  })

  test('are the model’s own, before bias, temperature and truncation', () => {
    const out = at({ topLogprobs: 3, logitBias: [[5, 100]] })
    expect(out).toEqual({
      token: 5,
      logprob: expect.closeTo(log[5]!, 9),
      top: [[1, expect.closeTo(log[1]!, 9)], [3, expect.closeTo(log[3]!, 9)], [4, expect.closeTo(log[4]!, 9)]],
    })
    expect(at({ temperature: 5, topK: 1, topLogprobs: 0 }).logprob).toBeCloseTo(log[1]!, 9)
  })

  test('more alternatives than tokens give all tokens', () => {
    expect(at({ topLogprobs: 20 }).top!.map(([token]) => token)).toEqual([1, 3, 4, 0, 2, 5])
  })
})

test.each([[NaN, 1], [Infinity, 1], [-Infinity, -Infinity]])('logits %j are an error, not a token', (...bad) => {
  const draw = { sampling: drawn, choice: 0, index: 0, penalties: undefined }
  expect(() => sample(Float32Array.from(bad), draw)).toThrow(/not finite/)
})
