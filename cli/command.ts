/**
 * What a command is, and what it is given when it runs: arguments that were checked strictly, and where to write.
 * @module
 */
import process from 'node:process'
import { type Config, resolveConfig, type Resolved, type Setting, SETTINGS } from '../runtime/config/mod.ts'
import { type FlagSpec, parseFlags, type PositionalSpec } from './flags.ts'
import { type Output, standardOutput } from './ui/output.ts'

/** What a command is given. */
export interface Input {
  positionals: string[]
  /** Whether a flag without value was given. */
  has(flag: string): boolean
  /** A flag's text, if it was given. */
  text(flag: string): string | undefined
  output: Output
  /** Settings out of flags, environment and file; warnings go to stderr. */
  resolve(defaults?: Partial<Config>): Promise<Resolved>
}

/** A command as its file describes it. */
export interface Command {
  name: string
  summary: string
  positionals?: readonly PositionalSpec[]
  flags?: readonly FlagSpec[]
  /** Settings that are flags of this command. */
  settings?: readonly (keyof Config)[]
  /** Its arguments are another program's: they come as positionals, unchecked. */
  passesOn?: true
  run(input: Input): Promise<void>
}

const JSON_FLAG: FlagSpec = { name: 'json', help: 'one JSON object a line on stdout' }
const CONFIG_FLAG: FlagSpec = { name: 'config', hint: 'FILE', help: 'config file: JSON, or a .ts or .js module' }

/** Every setting, for commands that take them all. */
export const ALL_SETTINGS = Object.keys(SETTINGS) as (keyof Config)[]

/** All flags of a command: its own, its settings', and those that every command has. */
export function flagsOf({ flags = [], settings = [] }: Command): FlagSpec[] {
  const rows = settings.map((key) => SETTINGS[key] as Setting<unknown>)
  const fromTable = rows.map(({ flag, hint, help, kind, default: value, defaultHelp, repeat }) => ({
    name: flag,
    hint,
    help: `${help} (default: ${defaultHelp ?? kind.show(value)})`,
    ...(repeat && { repeat }),
  }))
  return [...flags, ...fromTable, ...(settings.length > 0 ? [CONFIG_FLAG] : []), JSON_FLAG]
}

/** Checks the arguments and runs the command. */
export async function runCommand(command: Command, argv: readonly string[]): Promise<void> {
  const { positionals, flags } = command.passesOn
    ? { positionals: [...argv], flags: new Map<string, string | boolean | string[]>() }
    : parseFlags(argv, `volley ${command.name}`, flagsOf(command), command.positionals)
  const output = standardOutput(flags.get('json') === true)
  const text = (name: string) => {
    const value = flags.get(name)
    return typeof value === 'string' ? value : undefined
  }
  await command.run({
    positionals,
    output,
    text,
    has: (name) => flags.get(name) === true,
    async resolve(defaults = {}) {
      const file = text('config')
      const resolved = await resolveConfig({ flags, env: process.env, defaults, ...(file !== undefined && { file }) })
      for (const warning of resolved.warnings) output.note(`Warning: ${warning}`)
      return resolved
    },
  })
}
