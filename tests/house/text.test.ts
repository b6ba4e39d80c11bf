/**
 * What no file of this project says: a machine's own paths, a registry's address, an escape from the type checker, a
 * promise to do it later.
 */
import { describe, expect, test } from 'vitest'
import { blank, importsOf, read, resolveImport, sources, tests, tracked } from './sources.ts'

/** Made elsewhere and kept as it came: lock file, test data, weights. */
const GIVEN = /(?:^|\/)package-lock\.json$|^(?:tests\/golden\/|models\/)/
const TEXT = /\.(?:ts|mjs|js|json|md|yml|yaml|toml|sh|py|txt)$|(?:^|\/)(?:\.npmrc|\.gitignore|LICENSE)$/

interface Rule {
  name: string
  /** Found anywhere = broken. With the `g` flag, or as the positions it finds. */
  wrong: RegExp | ((text: string) => number[])
  remedy: string
  /** Which files; default: all text. */
  files?: readonly string[]
  /** Looks at code alone: comments and strings do not count. */
  code?: true
  /** Breaks the rule; keeps it. */
  bad: string
  good: string
}

/** Spelled so that this file keeps its own rules. */
const word = (...parts: string[]): string => parts.join('')
const REGISTRIES = [
  ['registry', 'npmjs', 'org'],
  ['registry', 'yarnpkg', 'com'],
  ['pypi', 'org'],
  ['files', 'pythonhosted', 'org'],
  ['proxy', 'golang', 'org'],
  ['sum', 'golang', 'org'],
  ['npm', 'jsr', 'io'],
  ['static', 'crates', 'io'],
].map((parts) => parts.join('.'))
const either = (words: readonly string[]) => words.map((one) => one.replaceAll('.', '\\.')).join('|')

const code = [...sources, ...tests]
const RULES: Rule[] = [
  {
    name: 'no path of one machine',
    wrong: /(?<![\w.~$}/-])\/(?:work|root|home|Users)\/[\w.-]/g,
    remedy: "say it from the project's root, from ~ or from a variable",
    bad: word('see /wo', 'rk/main/notes'),
    good: 'see ./work/main and ~/.cache and https://example.com/home/x',
  },
  {
    name: 'no registry by its address',
    wrong: new RegExp(`(?:${either(REGISTRIES)})`, 'g'),
    remedy: 'name the package; its client knows where the registry is',
    bad: `get ${REGISTRIES[0]!}/volley`,
    good: 'npm install volley',
  },
  {
    name: 'nothing is left for later',
    wrong: new RegExp(`\\b(?:${word('TO', 'DO')}|${word('FIX', 'ME')}|${word('XX', 'X')})\\b`, 'g'),
    remedy: 'do it, or say in docs/log.md what is missing',
    bad: word('// TO', 'DO: later'),
    good: '// todos are a kind of list',
  },
  {
    name: 'the type checker is not silenced',
    wrong: new RegExp(word('@ts-', '(?:ignore|nocheck)'), 'g'),
    remedy: 'give it the type it asks for',
    bad: word('// @ts-', 'ignore'),
    good: '// @ts-expect-error: shows that it is refused',
  },
  {
    name: 'no `any`',
    // A value of this name is no type.
    wrong: (text) =>
      /\bconst any\b/.test(text) ? [] : positions(text, /(?:[:<|&(,]|\bas|\bextends|=>)\s*any\b(?!\s*[(:.])/g),
    remedy: 'use `unknown` and look at it, or the type it has',
    files: code,
    code: true,
    bad: 'function f(a: any) {}',
    good: 'const a = AbortSignal.any([b, c])\nconst company = 1',
  },
  {
    name: 'no test runs alone',
    wrong: /\b(?:describe|test|it)(?:\.\w+)*\.only\b/g,
    remedy: 'take .only away',
    files: tests,
    code: true,
    bad: `test${'.on'}ly('x', f)`,
    good: `test('only', f)`,
  },
  {
    name: 'no semicolon ends a line',
    wrong: lineEnds,
    remedy: 'the house writes none',
    files: code,
    code: true,
    bad: 'const a = 1;',
    good: 'for (\n  let i = 0;\n  i < 3;\n  i++\n) f(1)\nfor await (const _ of x);',
  },
]

function positions(text: string, wrong: RegExp): number[] {
  return [...text.matchAll(wrong)].map((match) => match.index)
}

/** Semicolons at ends of lines, but for those in the head of a `for` and of loops without a body. */
function lineEnds(text: string): number[] {
  const open: string[] = []
  const found: number[] = []
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if ('([{'.includes(c)) open.push(c)
    else if (')]}'.includes(c)) open.pop()
    const line = text.slice(text.lastIndexOf('\n', i) + 1, i)
    if (c === ';' && /^[ \t]*(?:\n|$)/.test(text.slice(i + 1)) && open.at(-1) !== '(' && !/^\s*for\b.*\)$/.test(line)) {
      found.push(i)
    }
  }
  return found
}

/** Lines on which a rule is broken. */
function breaks({ wrong, code: codeOnly }: Rule, text: string): number[] {
  const looked = codeOnly ? blank(text) : text
  const found = typeof wrong === 'function' ? wrong(looked) : positions(looked, wrong)
  return found.map((index) => looked.slice(0, index).split('\n').length)
}

const allText = tracked.filter((path) => TEXT.test(path) && !GIVEN.test(path))

describe('text', () => {
  for (const rule of RULES) {
    test(rule.name, () => {
      const wrong = (rule.files ?? allText).flatMap((path) =>
        breaks(rule, read(path)).map((line) => `${path}:${line}: ${rule.name}; ${rule.remedy}`)
      )
      expect(wrong).toEqual([])
    })
    test(`${rule.name}: the rule bites`, () => {
      expect(breaks(rule, rule.bad)).toEqual([1])
      expect(breaks(rule, rule.good)).toEqual([])
    })
  }

  test('a test that is skipped says why', () => {
    const printing = new Set(tests.filter((path) => prints(read(path))))
    const wrong = tests.filter((path) => {
      const from = importsOf(read(path)).imports.map(({ specifier }) => resolveImport(path, specifier) ?? '')
      return silent(read(path)) && !from.some((helper) => printing.has(helper))
    })
    expect(wrong.map((path) => `${path} skips in silence: print one line that says what is missing`)).toEqual([])
    expect(silent(`describe.skipIf(x)('a', f)`)).toBe(true)
    expect(silent(`if (x) console.log('no x')\ndescribe.skipIf(x)('a', f)`)).toBe(false)
    expect(silent(`context.skip('no x here')`)).toBe(false)
  })
})

const prints = (text: string): boolean => /console\.\w+\(|process\.std(?:out|err)\.write\(/.test(blank(text))

/** Whether it skips tests and neither prints nor hands a reason over. */
function silent(text: string): boolean {
  const bare = blank(text)
  const withoutReason = /\.(?:skipIf|runIf)\(|\b(?:describe|test|it)\.skip\(|\bskip\(\)/.test(bare)
  return withoutReason && !prints(text)
}
