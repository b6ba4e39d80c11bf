/**
 * Pages hold: their commands exist with these flags, their links lead somewhere, their code type-checks.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { flagsOf } from '../../cli/command.ts'
import { type CommandName, COMMANDS } from '../../cli/commands/table.ts'
import { parseFlags } from '../../cli/flags.ts'
import { BUCKETS, DEAD, EVENTS, HOPS } from '../../runtime/bus/topology.ts'
import { OTHER_VARIABLES, type Setting, SETTINGS, variableOf } from '../../runtime/config/mod.ts'
import { toVolleyError } from '../../runtime/errors.ts'
import { read, root, tracked } from './sources.ts'

const pages = tracked.filter((path) =>
  path.endsWith('.md') && (!path.includes('/') || /^(?:docs|examples)\//.test(path))
)

/** Fenced blocks of a language, with the line their text begins on. */
function blocks(text: string, language: string): { line: number; body: string }[] {
  return [...text.matchAll(new RegExp('^```' + language + '\\n([\\s\\S]*?)^```', 'gm'))].map((match) => ({
    line: text.slice(0, match.index).split('\n').length + 1,
    body: match[1]!,
  }))
}

/** Commands of a block: continued lines joined, comments dropped. */
const commandsOf = (body: string): string[] =>
  body.replaceAll('\\\n', ' ').split('\n').map((line) => line.replace(/(?:^|\s)#.*$/, '').trim()).filter((line) =>
    line !== ''
  )

const words = (command: string): string[] =>
  [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c!)

const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts
const variables = new Set([
  ...(Object.values(SETTINGS) as Setting<unknown>[]).flatMap(({ flag, alsoEnv }) => [variableOf(flag), alsoEnv ?? '']),
  ...Object.keys(OTHER_VARIABLES),
])

/** What is wrong with a command; undefined = nothing, or it is none of ours. */
async function judge(command: string): Promise<string | undefined> {
  const all = words(command)
  while (/^\w+=/.test(all[0] ?? '')) {
    const name = all.shift()!.split('=')[0]!
    if (!variables.has(name)) return `${name} is no variable of ours`
  }
  const [program, ...args] = all
  if (program === 'npm') return await judgeNpm(args)
  if (program === 'volley') return await judgeVolley(args)
  if (program === 'node') return existsSync(join(root, args[0] ?? '')) ? undefined : `there is no ${args[0]}`
  if (program === 'nats') return judgeNats(command)
  return program === 'curl' ? undefined : `${program}: only npm, volley, node, nats and curl are known here`
}

async function judgeNpm(args: string[]): Promise<string | undefined> {
  const [name, ...rest] = args[0] === 'run' ? args.slice(1).filter((arg) => arg !== '-s') : args
  if (!Object.hasOwn(scripts, name ?? '')) return `package.json has no script "${name}"`
  const given = rest[0] === '--' ? rest.slice(1) : rest
  if (name === 'volley') return await judgeVolley(given)
  if (name === 'start') return await judgeVolley(['start', ...given])
  const missing = given.filter((arg) => arg.includes('/') && !existsSync(join(root, arg)))
  return missing.length > 0 ? `there is no ${missing.join(', ')}` : undefined
}

async function judgeVolley([name, ...args]: string[]): Promise<string | undefined> {
  if (!Object.hasOwn(COMMANDS, name ?? '')) return `there is no command "${name}"`
  const command = await COMMANDS[name as CommandName].load()
  if (command.passesOn) return judgeBench(args)
  try {
    parseFlags(args, `volley ${name}`, flagsOf(command), command.positionals)
    return undefined
  } catch (error) {
    return toVolleyError(error).toLine()
  }
}

/** Benchmarks check their flags themselves: their names are the keys of the defaults in the file. */
function judgeBench([name, ...args]: string[]): string | undefined {
  const path = `bench/${name}.ts`
  if (!existsSync(join(root, path))) return `there is no ${path}`
  const defaults = /benchFlags\(argv, \{([\s\S]*?)\}\)/.exec(read(path))?.[1] ?? ''
  const flags = args.filter((arg) => arg.startsWith('--') && arg !== '--json').map((arg) => arg.slice(2))
  const unknown = flags.filter((flag) => !new RegExp(`(?:^|[\\s,{'])${flag}'?\\s*:`).test(defaults))
  return unknown.length > 0 ? `${path} has no flag --${unknown.join(', --')}` : undefined
}

function judgeNats(command: string): string | undefined {
  const known = [HOPS, EVENTS, DEAD, ...Object.keys(BUCKETS)]
  const unknown = (command.match(/\b(?:VOLLEY|volley)_\w+/g) ?? []).filter((name) => !known.includes(name))
  return unknown.length > 0 ? `there is no stream or bucket ${unknown.join(', ')}` : undefined
}

/** A heading as an anchor, as forges make them. */
const anchorOf = (heading: string): string =>
  heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').trim().replaceAll(/\s/g, '-')

function brokenLinks(path: string, text: string): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link).filter((link) => {
    if (/^(?:https?|mailto):/.test(link)) return false
    const [file = '', anchor] = link.split('#')
    const target = file === '' ? path : join(dirname(path), file)
    if (!existsSync(join(root, target))) return true
    return anchor !== undefined &&
      ![...read(target).matchAll(/^#+ (.*)$/gm)].some(([, heading = '']) => anchorOf(heading) === anchor)
  })
}

describe('pages', () => {
  test('commands exist, with these flags', async () => {
    const wrong: string[] = []
    for (const page of pages) {
      for (const { line, body } of blocks(read(page), 'sh')) {
        for (const command of commandsOf(body)) {
          const problem = await judge(command)
          if (problem !== undefined) wrong.push(`${page}, block at line ${line}: ${command}: ${problem}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  test('commands: the rule bites', async () => {
    for (
      const bad of [
        'npm run nothing',
        'npm start -- --prot 1',
        'volley nothing',
        'volley serve --labells a',
        'volley trace',
        'VOLLEY_NOTHING=1 npm start',
        'volley bench nothing',
        'volley bench hop --nothing 1',
        'npm test -- tests/nothing',
        'node examples/nothing.ts',
        'nats stream info VOLLEY_NOTHING',
        'rm -rf x',
      ]
    ) expect(await judge(bad), bad).toBeDefined()
    for (
      const good of [
        'npm start -- --port 0',
        'volley trace ID',
        'VOLLEY_PORT=0 npm start',
        'volley bench hop --requests 3 --json',
      ]
    ) {
      expect(await judge(good), good).toBeUndefined()
    }
  })

  test('links lead somewhere', () => {
    expect(
      pages.flatMap((page) =>
        brokenLinks(page, read(page)).map((link) => `${page} links to ${link}, which is not there`)
      ),
    ).toEqual([])
    expect(brokenLinks('README.md', '[a](nothing.md) [b](#nothing) [c](README.md#volley) `[d](e)`')).toEqual([
      'nothing.md',
      '#nothing',
    ])
  })

  test('every page of docs/ is reached from the README', () => {
    const linked = [...read('README.md').matchAll(/\]\(([^)#\s]+)/g)].map(([, link]) => link)
    const lost = pages.filter((page) => page.startsWith('docs/') && !linked.includes(page))
    expect(lost.map((page) => `${page}: link to it from README.md`)).toEqual([])
  })
})

describe('code in pages', () => {
  const folder = join(root, 'dist', `house-docs-${process.pid}`)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  function typeErrors(files: Record<string, string>): string[] {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: '../../tsconfig.json', include: ['*.ts'], exclude: [] }),
    )
    const { stdout } = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], {
      encoding: 'utf8',
      cwd: root,
    })
    return stdout.split('\n').filter((line) => line.includes('error TS'))
  }

  test('ts blocks type-check, importing from the door', () => {
    const files: Record<string, string> = { 'sabotage.ts': 'export const wrong: number = "text"\n' }
    for (const page of pages) {
      for (const { line, body } of blocks(read(page), 'ts')) {
        files[`${page.replaceAll(/\W/g, '_')}_line_${line}.ts`] = body
      }
    }
    const errors = typeErrors(files)
    expect(errors.filter((error) => !error.includes('sabotage'))).toEqual([])
    expect(errors, 'a wrong one is found').toHaveLength(1)
  })
})
