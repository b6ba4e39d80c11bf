import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StopMatcher } from '../../../../runtime/engine/text/stop.ts'

/** Everything shown, and the stop string found. */
function run(stops: string[], pieces: string[]): { text: string; stop: string | undefined } {
  const matcher = new StopMatcher(stops)
  let text = ''
  for (const piece of pieces) text += matcher.push(piece).text
  if (matcher.stop === undefined) text += matcher.flush()
  return { text, stop: matcher.stop }
}

/** The rule, said plainly: walk the text; the first place where any stop string is complete ends it. */
function oracle(stops: string[], text: string): { text: string; stop: string | undefined } {
  for (let end = 1; end <= text.length; end++) {
    const complete = stops.filter((stop) => stop !== '' && text.slice(0, end).endsWith(stop))
    const stop = complete.sort((a, b) => b.length - a.length)[0]
    if (stop !== undefined) return { text: text.slice(0, end - stop.length), stop }
  }
  return { text, stop: undefined }
}

describe('StopMatcher', () => {
  test('shows text before the stop string, never the stop string', () => {
    expect(run(['END'], ['one E', 'ND two'])).toEqual({ text: 'one ', stop: 'END' })
    expect(run(['\n\n'], ['a\n', 'b\n', '\nc'])).toEqual({ text: 'a\nb', stop: '\n\n' })
    expect(run([], ['all ', 'of it'])).toEqual({ text: 'all of it', stop: undefined })
  })

  test('holds back only what could begin a stop string', () => {
    const matcher = new StopMatcher(['END', 'STOP'])
    expect(matcher.push('time to EN')).toEqual({ text: 'time to ' })
    expect(matcher.push('E')).toEqual({ text: 'EN' })
    expect(matcher.push('x')).toEqual({ text: 'Ex' })
    expect(matcher.push('ST')).toEqual({ text: '' })
    expect(matcher.flush()).toBe('ST')
  })

  test('of two strings the one complete first wins, of two at once the longer', () => {
    expect(run(['abcd', 'c'], ['abcd'])).toEqual({ text: 'ab', stop: 'c' })
    expect(run(['c', 'bc'], ['abc'])).toEqual({ text: 'a', stop: 'bc' })
  })

  test('takes nothing more once it has stopped; empty stop strings do not count', () => {
    const matcher = new StopMatcher(['', '!'])
    expect(matcher.push('hi! there')).toEqual({ text: 'hi', stop: '!' })
    expect(matcher.push('more')).toEqual({ text: '', stop: '!' })
    expect(matcher.flush()).toBe('')
  })

  test('finds the same whatever the pieces', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 24 })
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 4 }), { maxLength: 4 })
    fc.assert(fc.property(stops, fc.array(letters, { maxLength: 8 }), (stops, pieces) => {
      expect(run(stops, pieces)).toEqual(oracle(stops, pieces.join('')))
    }))
  })
})
