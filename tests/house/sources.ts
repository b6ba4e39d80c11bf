/**
 * The project's own text as the house's rules read it: which files there are, what they import and export. A small
 * lexer tells code from comments and strings, so that a rule never stumbles over a word in a sentence.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's root. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Folders of source code: everything that runs outside tests. */
export const ROOMS = ['runtime', 'actors', 'cli', 'bench', 'examples', 'bootstrap'] as const

/** What is no part of the project where git cannot say so. */
const FOREIGN = new Set(['node_modules', 'dist', 'coverage', '.git', '.venv', 'tmp'])

function listed(): string[] {
  const options = { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 } as const
  const { status, stdout } = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], options)
  if (status === 0) return stdout.split('\n').filter((path) => path !== '' && existsSync(join(root, path)))
  return readdirSync(root, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((path) => !path.split('/').some((part) => FOREIGN.has(part)))
}

/** Files under version control or about to be (of an unpacked archive: all), from the root, with `/`. */
export const tracked: readonly string[] = listed().sort()

/** Text of a tracked file. */
export const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const isCode = (path: string): boolean => /\.(?:ts|mjs|js)$/.test(path)

/** Source files, `mod.ts` included. */
export const sources: readonly string[] = tracked.filter((path) =>
  isCode(path) && (path === 'mod.ts' || ROOMS.some((room) => path.startsWith(`${room}/`)))
)
/** Files of tests and their helpers. */
export const tests: readonly string[] = tracked.filter((path) => isCode(path) && path.startsWith('tests/'))

/** `text` with its comments and its strings' insides turned into spaces: positions and lines stay. */
export function blank(text: string): string {
  const out = text.split('')
  const wipe = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' '
  }
  // How deep in braces each open `${` began.
  const templates: number[] = []
  let depth = 0
  let i = 0
  let last = ''
  while (i < out.length) {
    const c = out[i]!
    const two = c + (out[i + 1] ?? '')
    const start = i
    if (two === '//') {
      while (i < out.length && out[i] !== '\n') i++
      wipe(start, i)
    } else if (two === '/*') {
      i += 2
      while (i < out.length && !(out[i] === '*' && out[i + 1] === '/')) i++
      i = Math.min(out.length, i + 2)
      wipe(start, i)
    } else if (c === "'" || c === '"') {
      i++
      while (i < out.length && out[i] !== c && out[i] !== '\n') i += out[i] === '\\' ? 2 : 1
      wipe(start + 1, i)
      i++
      last = c
    } else if (c === '`' || (c === '}' && templates.at(-1) === depth)) {
      if (c === '}') templates.pop()
      i++
      while (i < out.length && out[i] !== '`' && !(out[i] === '$' && out[i + 1] === '{')) i += out[i] === '\\' ? 2 : 1
      wipe(start + 1, i)
      if (out[i] === '$') {
        templates.push(depth)
        i++
      }
      i++
      last = '`'
    } else if (c === '/' && startsRegex(out, i, last)) {
      let inClass = false
      i++
      while (i < out.length && out[i] !== '\n' && (inClass || out[i] !== '/')) {
        if (out[i] === '[') inClass = true
        else if (out[i] === ']') inClass = false
        i += out[i] === '\\' ? 2 : 1
      }
      wipe(start + 1, i)
      i++
      last = '/'
    } else {
      if (c === '{') depth++
      else if (c === '}') depth--
      if (c.trim() !== '') last = c
      i++
    }
  }
  return out.join('')
}

/** Whether a slash begins a regular expression: after an operator or a keyword it does, after a value it divides. */
function startsRegex(text: readonly string[], at: number, last: string): boolean {
  if (last === '' || '(,=:[!&|?{;+-*%<>~^}'.includes(last)) return true
  return /(?:^|[^\w.$])(?:return|typeof|case|in|of|throw|await|yield|=>)\s*$/.test(
    text.slice(Math.max(0, at - 12), at).join(''),
  )
}

/** One import, re-export, literal dynamic import, or `new URL('./x.ts', import.meta.url)`. */
export interface Import {
  specifier: string
  /** Names taken; `*` = all of them. */
  names: string[]
  /** Erased before it runs. */
  typeOnly: boolean
  /** Loaded while running: it cannot close a cycle at load time. */
  lazy: boolean
  /** Handed on to whoever imports this file. */
  reexport: boolean
}

/** A specifier's place in text whose strings were blanked. */
const QUOTED = String.raw`(?<quote>['"])(?<gap>\s+)\k<quote>`
const STATEMENT = new RegExp(
  String.raw`(?<=^|[\n;}])[ \t]*(import|export)\s+(type\s+)?([\w$*{}\s,]+?)\s*from\s*${QUOTED}`,
  'dg',
)
const BARE = new RegExp(String.raw`(?<=^|[\n;])[ \t]*import\s*${QUOTED}`, 'dg')
const DYNAMIC = new RegExp(String.raw`\bimport\(\s*${QUOTED}\s*\)`, 'dg')
const ADDRESS = new RegExp(String.raw`new URL\(\s*${QUOTED},\s*import\.meta\.url`, 'dg')

/** What a file imports; `computed` = it also imports what its text does not name. */
export interface Imports {
  imports: Import[]
  computed: boolean
}

const seen = new Map<string, Imports>()

/** {@linkcode Imports} of a text; asked for often, read once. */
export function importsOf(text: string): Imports {
  const found = seen.get(text) ?? readImports(text)
  seen.set(text, found)
  return found
}

function readImports(text: string): Imports {
  const bare = blank(text)
  const imports: Import[] = []
  const specifierOf = (match: RegExpMatchArray): string => text.slice(...match.indices!.groups!['gap']!)
  for (const match of bare.matchAll(STATEMENT)) {
    const [, kind, type, clause = ''] = match
    const parts = clause.replaceAll(/[{}]/g, '').split(',').filter((part) => part.trim() !== '')
    const allTypes = clause.trim().startsWith('{') && parts.length > 0 && parts.every((part) => /^\s*type\s/.test(part))
    const typeOnly = type !== undefined || allTypes
    imports.push({
      specifier: specifierOf(match),
      names: namesOf(clause),
      typeOnly,
      lazy: false,
      reexport: kind === 'export',
    })
  }
  const all = { names: ['*'], typeOnly: false, reexport: false }
  for (const match of bare.matchAll(BARE)) imports.push({ specifier: specifierOf(match), ...all, lazy: false })
  for (const match of bare.matchAll(DYNAMIC)) imports.push({ specifier: specifierOf(match), ...all, lazy: true })
  for (const match of bare.matchAll(ADDRESS)) {
    const specifier = specifierOf(match)
    if (/\.(?:ts|mjs)$/.test(specifier)) imports.push({ specifier, ...all, lazy: true })
  }
  return { imports, computed: /\bimport\(\s*[^\s'"]/.test(bare) }
}

function namesOf(clause: string): string[] {
  const names: string[] = []
  const braces = /\{([^}]*)\}/.exec(clause)?.[1]
  const outside = clause.replace(/\{[^}]*\}/, '').replaceAll(',', ' ').trim()
  if (outside.startsWith('*')) names.push('*')
  else if (outside !== '') names.push('default')
  for (const part of (braces ?? '').split(',')) {
    const name = part.trim().replace(/^type\s+/, '').split(/\s+as\s+/)[0]!.trim()
    if (name !== '') names.push(name)
  }
  return names
}

/** A relative specifier as a path from the root; undefined for packages and `node:`. */
export function resolveImport(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? join(dirname(from), specifier).replaceAll('\\', '/') : undefined
}

/** `@scope/name` or `name` of a package specifier; undefined for relative ones and `node:`. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:') || specifier.startsWith('/')) return undefined
  return specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
}

/** A name that a file declares and exports. */
export interface Exported {
  name: string
  isType: boolean
}

/** Names declared and exported here; re-exports are imports. */
export function exportsOf(text: string): Exported[] {
  const code = blank(text)
  const found: Exported[] = []
  const declared =
    /(?:^|\n)export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(function\*?|const|let|class|interface|type)\s+([\w$]+)/g
  for (const [, kind, name = ''] of code.matchAll(declared)) {
    found.push({ name, isType: kind === 'interface' || kind === 'type' })
  }
  for (const [, names = ''] of code.matchAll(/(?:^|\n)export\s+(?:type\s+)?\{([^}]*)\}(?!\s*from)/g)) {
    for (const part of names.split(',')) {
      const name = part.trim().replace(/^type\s+/, '').split(/\s+as\s+/).at(-1)!.trim()
      if (name !== '') found.push({ name, isType: false })
    }
  }
  return found
}
