/**
 * Pictures for the toy model: vectors from a name, and prompts with places for them.
 * @module
 */
import type { GivenMark, GivenVectors } from '../../runtime/engine/engine.ts'
import { TOY_HIDDEN } from './toy-forward.ts'

/** The token that stands where vectors are given. */
export const PLACE = 91

/** [tokens, hidden] from a name: other names, other numbers. */
export function toyVectors({ tokens, name }: GivenMark): Float32Array {
  let state = [...name].reduce((sum, char) => Math.imul(sum, 31) + char.charCodeAt(0), 7)
  return Float32Array.from({ length: tokens * TOY_HIDDEN }, () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9
    return (state >>> 0) / 2 ** 31 - 1
  })
}

/** All there from the start. */
export const givenNow = (marks: readonly GivenMark[]): GivenVectors[] =>
  marks.map((mark) => ({ ...mark, vectors: Promise.resolve(toyVectors(mark)) }))

/** Vectors that come when a test says so. */
export function givenLater(marks: readonly GivenMark[]): {
  given: GivenVectors[]
  arrive(place: number): void
  lose(place: number, error: Error): void
} {
  const later = marks.map(() => Promise.withResolvers<Float32Array>())
  return {
    given: marks.map((mark, i) => ({ ...mark, vectors: later[i]!.promise })),
    arrive: (place) => later[place]!.resolve(toyVectors(marks[place]!)),
    lose: (place, error) => later[place]!.reject(error),
  }
}

/** The prompt with the places' tokens in it. */
export function withPlaces(tokens: readonly number[], marks: readonly GivenMark[]): number[] {
  const out = [...tokens]
  for (const { start, tokens: count } of marks) out.fill(PLACE, start, start + count)
  return out
}
