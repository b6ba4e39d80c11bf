/**
 * Nothing is exported for nobody; the two manifests agree; what a page lists is what the code has.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BUCKETS, DEAD, EVENTS, HOPS } from '../../runtime/bus/topology.ts'
import { subjects } from '../../runtime/bus/subjects.ts'
import { ERROR_KINDS, type ErrorCode } from '../../runtime/errors.ts'
import { pipelineOf, toMermaid } from '../../runtime/machine/mod.ts'
import { blank, type Exported, exportsOf, importsOf, read, resolveImport, root, sources, tests } from './sources.ts'

interface Manifest {
  version: string
  license: string
  exports: Record<string, string>
}
const json = (path: string): Manifest => JSON.parse(read(path)) as Manifest
const doors = [
  ...new Set(['mod.ts', ...Object.values(json('package.json').exports).map((path) => path.replace(/^\.\//, ''))]),
]

/** Files whose exports are taken by a computed import, and by which name. */
const TAKEN: [file: RegExp, name: RegExp][] = [
  [/^bench\/[a-z]+\.ts$/, /^main$/],
  [/^actors\/(?:gateway|scheduler|instance)\/main\.ts$/, /^run[A-Z]\w+$/],
  [/^examples\/.*\.ts$/, /^(?:pipelines|actors|main)$/],
]

/** Exported names that nobody takes, as `file name`. */
function unused(files: Record<string, string>, open: readonly string[]): string[] {
  const taken = new Set<string>()
  const wholly = new Map<string, string[]>()
  // What a file hands on counts for the file it has it from once somebody takes it; a door's is taken by definition.
  const handedOn: { from: string; to: string; names: string[] }[] = []
  for (const [path, text] of Object.entries(files)) {
    for (const { specifier, names, reexport } of importsOf(text).imports) {
      const target = resolveImport(path, specifier)
      if (target === undefined) continue
      if (names.includes('*')) wholly.set(target, [...(wholly.get(target) ?? []), blank(text)])
      else if (reexport && !open.includes(path)) handedOn.push({ from: path, to: target, names })
      else for (const name of names) taken.add(`${target} ${name}`)
    }
  }
  const isTaken = (path: string, name: string): boolean =>
    open.includes(path) || taken.has(`${path} ${name}`) || TAKEN.some(([file, names]) =>
      file.test(path) && names.test(name)
    ) ||
    (wholly.get(path) ?? []).some((code) => new RegExp(`\\b${name}\\b`).test(code)) ||
    handedOn.some(({ from, to, names }) => to === path && names.includes(name) && isTaken(from, name))
  const found: string[] = []
  for (const path of Object.keys(files).filter((file) => !file.startsWith('tests/'))) {
    const handed = handedOn.filter(({ from }) => from === path).flatMap(({ names }) => names)
    for (const name of handed) if (!isTaken(path, name)) found.push(`${path} ${name}`)
    for (const one of exportsOf(files[path]!)) {
      if (!isTaken(path, one.name) && !isPart(one, files[path]!)) found.push(`${path} ${one.name}`)
    }
  }
  return found
}

/** A type that other lines of its file speak of is part of what they offer: who reads them wants to see it. */
const isPart = ({ name, isType }: Exported, text: string): boolean =>
  isType && (blank(text).match(new RegExp(`\\b${name}\\b`, 'g')) ?? []).length > 1

describe('exports', () => {
  test('nothing is exported for nobody', () => {
    const files = Object.fromEntries([...sources, ...tests].map((path) => [path, read(path)]))
    const found = unused(files, doors)
    expect(found.map((name) => `${name}: no file, test or door takes it; drop the word "export", or the thing itself`))
      .toEqual([])
  })

  test('the rule bites', () => {
    const files = {
      'runtime/a.ts': [
        'export const used = 1',
        'export const idle = 2',
        'export interface Idle { a: 1 }',
        'export interface Options { b: 1 }',
        'export function f(o: Options) {}',
      ].join('\n'),
      'runtime/b.ts': `import { used, f } from './a.ts'\nexport { lone } from './c.ts'`,
      'runtime/c.ts': 'export const lone = 1\nexport const shown = 2',
      'mod.ts': `export { shown } from './runtime/c.ts'`,
    }
    expect(unused(files, ['mod.ts'])).toEqual([
      'runtime/a.ts idle',
      'runtime/a.ts Idle',
      'runtime/b.ts lone',
      'runtime/c.ts lone',
    ])
  })

  test('package.json and deno.json have the same version, licence and exports', () => {
    const [node, deno] = [json('package.json'), json('deno.json')]
    expect({ version: deno.version, license: deno.license, exports: deno.exports }).toEqual({
      version: node.version,
      license: node.license,
      exports: node.exports,
    })
  })

  test('every door named in the manifests is there', () => {
    expect(
      doors.filter((path) => !existsSync(join(root, path))).map((path) =>
        `${path} is named in package.json "exports": write it, or take it out`
      ),
    ).toEqual([])
  })
})

/** First cells of a page's table rows, without their backticks. */
const firstCells = (page: string): string[] => [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, cell = '']) => cell)

/** `code status exit` of every row of the table of errors. */
const errorRows = (page: string): string[] =>
  [...page.matchAll(/^\| `(\w+)` \| (\d+) \| (\d) \|/gm)].map(([, code, status, exit]) => `${code} ${status} ${exit}`)
    .sort()

/** A subject with its parameters' names in angle brackets. */
function shapeOf(subject: string | ((...parts: string[]) => string)): string {
  if (typeof subject === 'string') return subject
  const names = /\(([^)]*)\)/.exec(String(subject))?.[1]?.split(',').map((name) => name.trim()) ?? []
  // Built from marks that are tokens, then given back their brackets.
  return subject(...names.map((name) => `-${name}-`)).replaceAll(/-(\w+)-/g, '<$1>')
}

describe('pages say what the code has', () => {
  test('docs/errors.md lists the codes of runtime/errors.ts, with status and exit code', () => {
    const codes = (Object.keys(ERROR_KINDS) as ErrorCode[]).map((code) =>
      `${code} ${ERROR_KINDS[code].status} ${ERROR_KINDS[code].exit}`
    ).sort()
    const page = read('docs/errors.md')
    expect(errorRows(page)).toEqual(codes)
    expect(errorRows(page.replace('| `poison` | 500', '| `poison` | 501'))).not.toEqual(codes)
  })

  test('docs/subjects.md lists the subjects of subjects.ts, the streams and the buckets', () => {
    const cells = firstCells(read('docs/subjects.md'))
    const beginning = (prefix: string) => cells.filter((cell) => cell.startsWith(prefix)).sort()
    // Filters are made of the same subjects: not listed.
    const whole = Object.values(subjects).map((subject) => shapeOf(subject)).filter((subject) =>
      !/[*]|\.>$/.test(subject)
    )
    expect(whole).toContain('volley.v1.hop.<phase>.<model>.<lane>.<id>')
    expect(beginning('volley.v1.')).toEqual([...new Set(whole)].sort())
    expect(beginning('VOLLEY_')).toEqual([HOPS, EVENTS, DEAD].sort())
    expect(beginning('volley_')).toEqual(Object.keys(BUCKETS).sort())
  })

  test('docs/concepts.md draws the llm chart as the chart draws itself', () => {
    expect(read('docs/concepts.md')).toContain('```mermaid\n' + toMermaid(pipelineOf('llm')) + '```')
  })
})
