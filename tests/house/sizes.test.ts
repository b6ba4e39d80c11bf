/**
 * Files stay small and say what they are.
 */
import { describe, expect, test } from 'vitest'
import { read, sources } from './sources.ts'

const MEDIAN_LINES = 100
const MAX_LINES = 400

const linesOf = (text: string): number => text.split('\n').length - (text.endsWith('\n') ? 1 : 0)

/** The number that as many are below as above. */
function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)]!
}

function tooLong(path: string, text: string): string | undefined {
  const lines = linesOf(text)
  return lines > MAX_LINES
    ? `${path} has ${lines} lines, at most ${MAX_LINES}: split it where a second idea begins`
    : undefined
}

/** The first thing in a file, a hash-bang aside, is a block of one to a few sentences that ends in `@module`. */
function unopened(path: string, text: string): string | undefined {
  const block = /^(?:#![^\n]*\n)?(?:\/\/ @ts-check\n)?\/\*\*([\s\S]*?)\*\//.exec(text)?.[1]
  const words = block?.replaceAll(/^\s*\*/gm, '').trim() ?? ''
  if (/@module$/.test(words) && words.replace('@module', '').trim().length >= 15) return undefined
  return `${path} does not open with /** … @module */: say in a sentence or three what it is and does not know`
}

describe('sizes', () => {
  test(`source files: half of them have ${MEDIAN_LINES} lines or less`, () => {
    expect(median(sources.map((path) => linesOf(read(path))))).toBeLessThanOrEqual(MEDIAN_LINES)
  })
  test(`no source file is longer than ${MAX_LINES} lines`, () => {
    expect(sources.flatMap((path) => tooLong(path, read(path)) ?? [])).toEqual([])
  })
  test('every source file says at its head what it is', () => {
    const asked = sources.filter((path) => !path.startsWith('examples/'))
    expect(asked.flatMap((path) => unopened(path, read(path)) ?? [])).toEqual([])
  })
  test('the rules bite', () => {
    expect(tooLong('x.ts', 'a\n'.repeat(401))).toMatch(/401 lines/)
    expect(tooLong('x.ts', 'a\n'.repeat(400))).toBeUndefined()
    expect(unopened('x.ts', `import { a } from './a.ts'\n/** Late. @module */`)).toBeDefined()
    expect(unopened('x.ts', '/** @module */\n')).toBeDefined()
    expect(unopened('x.ts', '/**\n * Says in a sentence what it is.\n * @module\n */\n')).toBeUndefined()
    expect(median([1, 2, 300])).toBe(2)
  })
})
