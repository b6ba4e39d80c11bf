#!/usr/bin/env node
/**
 * `volley`: finds the command, runs it, and turns whatever goes wrong into one line and an exit code.
 * @module
 */
import process from 'node:process'
import { stripVTControlCharacters } from 'node:util'
import { nearest } from '../runtime/config/mod.ts'
import { toVolleyError, VolleyError } from '../runtime/errors.ts'
import { endWithParent } from '../runtime/platform.ts'
import { version } from '../runtime/version.ts'
import { runCommand } from './command.ts'
import { type CommandName, COMMANDS } from './commands/table.ts'

async function main(argv: readonly string[]): Promise<void> {
  // `volley --json ps` means `volley ps --json`.
  const at = argv.findIndex((arg) => !arg.startsWith('-'))
  const before = at < 0 ? argv : argv.slice(0, at)
  const [name, ...rest] = at < 0 ? [] : argv.slice(at)
  const wantsHelp = before.some(isHelp) ||
    rest.slice(0, rest.includes('--') ? rest.indexOf('--') : rest.length).some(isHelp)
  if (before.includes('--version') || before.includes('-v') || name === 'version') return write(`${version}\n`)
  if (name === 'help') return help(rest[0])
  if (name === undefined) return wantsHelp ? help(undefined) : usageError()
  if (wantsHelp) return help(name)
  await runCommand(await (await find(name)).load(), [...before, ...rest])
}

const isHelp = (arg: string): boolean => arg === '--help' || arg === '-h'
const write = (text: string): void => void process.stdout.write(text)
/** citty colours whatever it draws. */
const plain = (text: string, stream: { isTTY?: boolean }): string =>
  stream.isTTY && !process.env['NO_COLOR'] ? text : stripVTControlCharacters(text)

async function find(name: string): Promise<(typeof COMMANDS)[CommandName]> {
  if (Object.hasOwn(COMMANDS, name)) return COMMANDS[name as CommandName]
  const close = nearest(name, Object.keys(COMMANDS))
  throw new VolleyError('unknown_command', `Unknown command "${name}"`, {
    remedy: close ? `did you mean \`volley ${close}\`?` : 'see `volley help`',
  })
}

/** citty is loaded for help alone. */
async function help(name: string | undefined): Promise<void> {
  const { commandUsage } = await import('./usage.ts')
  const text = name === undefined ? await overview() : await commandUsage(await (await find(name)).load())
  write(`${plain(text, process.stdout)}\n`)
}

async function overview(): Promise<string> {
  const { programUsage } = await import('./usage.ts')
  return programUsage(
    Object.fromEntries(Object.entries(COMMANDS).map(([n, { summary }]) => [n, summary])),
    version,
  )
}

async function usageError(): Promise<void> {
  process.stderr.write(`${plain(await overview(), process.stderr)}\n`)
  process.exitCode = 2
}

function fail(thrown: unknown): never {
  const error = toVolleyError(thrown)
  process.stderr.write(`${process.env['VOLLEY_DEBUG'] === '1' ? (error.stack ?? '') + '\n' : ''}${error.toLine()}\n`)
  process.exit(error.kind.exit)
}

// Who reads us may stop reading (`volley ps | head`): that is no failure.
process.stdout.on('error', (error: { code?: string }) => process.exit(error.code === 'EPIPE' ? 0 : 1))
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
endWithParent()
// Written out before it ends: pipes are not always written at once.
main(process.argv.slice(2)).then(() => process.stdout.write('', () => process.exit()), fail)
