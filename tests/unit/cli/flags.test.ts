import { describe, expect, test } from 'vitest'
import { type FlagSpec, parseFlags } from '../../../cli/flags.ts'

const specs: FlagSpec[] = [
  { name: 'port', hint: 'N', help: '' },
  { name: 'api-key', hint: 'KEY', help: '', repeat: true },
  { name: 'json', help: '' },
]
const parse = (...argv: string[]) =>
  parseFlags(argv, 'volley toy', specs, [{ name: 'A', help: '' }, { name: 'B', help: '', optional: true }])
const flagsOf = (...argv: string[]) => Object.fromEntries(parse('a', ...argv).flags)

describe('parseFlags()', () => {
  test.each([
    [['--port', '1'], { port: '1' }],
    [['--port=1'], { port: '1' }],
    [['--port', '-1'], { port: '-1' }],
    [['--json'], { json: true }],
    [['--json=false'], { json: false }],
    [['--api-key', 'a', '--api-key=b'], { 'api-key': ['a', 'b'] }],
  ])('%j', (argv, flags) => expect(flagsOf(...argv)).toEqual(flags))

  test('takes positionals among flags, and everything after --', () => {
    expect(parse('--json', 'a', '--port', '1', 'b').positionals).toEqual(['a', 'b'])
    expect(parse('a', '--', '--prompt').positionals).toEqual(['a', '--prompt'])
  })

  test.each([
    [['a', '--prot', '1'], 'unknown_flag', 'did you mean --port?'],
    [['a', '--colour'], 'unknown_flag', 'see volley toy --help'],
    [['a', '-p', '1'], 'unknown_flag', 'see volley toy --help'],
    [['a', '--port'], 'invalid_flag', 'write --port N'],
    [['a', '--port='], 'invalid_flag', 'write --port N'],
    [['a', '--json=maybe'], 'invalid_flag', 'write --json alone'],
    [['a', '--port', '1', '--port', '2'], 'invalid_flag', 'give it once'],
    [[], 'invalid_flag', 'write volley toy A [B]'],
    [['a', 'b', 'c'], 'invalid_flag', 'write volley toy A [B]'],
  ])('%j is %s: %s', (argv, code, remedy) => {
    expect(() => parse(...argv)).toThrow(expect.objectContaining({ code, remedy }))
  })
})
