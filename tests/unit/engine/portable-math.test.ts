import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { cosSin, powNegative } from '../../../runtime/engine/portable-math.ts'
import { startBackend } from '../../../runtime/engine/tfjs/backend.ts'
import { inverseFrequencies, rotaryRows } from '../../../runtime/engine/tfjs/rotary.ts'

const angles = Array.from({ length: 20_000 }, (_, i) => i * 0.731 + (i % 97) * 1e3)
const bases = [1, 1.5, 2, 10_000, 500_000, 1e6, 1e9]
const exponents = Array.from({ length: 64 }, (_, i) => i / 64)
const digest = (values: Float64Array | Float32Array): string =>
  createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex').slice(0, 16)

describe('functions of IEEE arithmetic alone', () => {
  test('are as good as those of the runtime', () => {
    for (const angle of angles) {
      const [cos, sin] = cosSin(angle)
      expect(Math.max(Math.abs(cos - Math.cos(angle)), Math.abs(sin - Math.sin(angle)))).toBeLessThan(1e-15)
    }
    for (const base of bases) {
      for (const exponent of exponents) expect(Math.abs(powNegative(base, exponent) * base ** exponent - 1)).toBeLessThan(5e-15)
    }
    expect(bases.map((base) => powNegative(base, 0))).toEqual(bases.map(() => 1))
  })

  test('give the same bits in every runtime', () => {
    const powers = bases.flatMap((base) => exponents.map((exponent) => powNegative(base, exponent)))
    expect(digest(Float64Array.from(angles.flatMap(cosSin)))).toBe('fba35d7ad60d6768')
    expect(digest(Float64Array.from(powers))).toBe('c5e2d7f63fa7f21b')
  })

  // With `Math.pow` those of Llama 3 differed between Node 20 and Node 24, under one numerics id.
  test('so do rotary positions', async () => {
    await startBackend('cpu')
    const frequencies = inverseFrequencies({ headDim: 64, ropeTheta: 500_000, ropeScaling: undefined })
    const { cos, sin } = rotaryRows(frequencies, Int32Array.from({ length: 8192 }, (_, i) => i))
    expect(digest(cos.dataSync<'float32'>().slice())).toBe('3fa52d9f916ed2b9')
    expect(digest(sin.dataSync<'float32'>().slice())).toBe('30f11fed4b573e8a')
  })
})
