/**
 * The command line, strictly: every flag is known, every value is there, nothing is left over. (citty, which draws the
 * help, takes unknown flags in silence.) Knows nothing of what flags mean.
 * @module
 */
import { parseArgs } from 'node:util'
import { nearest } from '../runtime/config/mod.ts'
import { VolleyError } from '../runtime/errors.ts'

/** A flag of a command. */
export interface FlagSpec {
  /** Without dashes. */
  name: string
  /** What stands for the value; left out = the flag has none. */
  hint?: string
  help: string
  repeat?: true
}

/** An argument by position. */
export interface PositionalSpec {
  name: string
  help: string
  optional?: true
}

/** What was typed. */
export interface Typed {
  positionals: string[]
  /** Text, `true` for flags without value, an array for flags that may be repeated. */
  flags: Map<string, string | boolean | string[]>
}

/** Errors: `unknown_flag` with the nearest, `invalid_flag`. */
export function parseFlags(
  argv: readonly string[],
  command: string,
  specs: readonly FlagSpec[],
  places: readonly PositionalSpec[] = [],
): Typed {
  const options = Object.fromEntries(
    specs.map(({ name, hint }) => [name, { type: hint === undefined ? 'boolean' as const : 'string' as const }]),
  )
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true })
  const flags: Typed['flags'] = new Map()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const spec = specs.find(({ name }) => name === token.name && token.rawName.startsWith('--'))
    if (spec === undefined) throw unknown(token.rawName, command, specs)
    flags.set(spec.name, valueOf(spec, token.value, flags.get(spec.name)))
  }
  checkPlaces(positionals, command, places)
  return { positionals, flags }
}

function valueOf(
  { name, hint, repeat }: FlagSpec,
  value: string | undefined,
  earlier: unknown,
): string | boolean | string[] {
  const wrong = (message: string, remedy: string) => new VolleyError('invalid_flag', message, { param: name, remedy })
  if (earlier !== undefined && !repeat) throw wrong(`--${name} is given twice`, 'give it once')
  if (hint === undefined) {
    if (value === undefined || value === 'true') return true
    if (value === 'false') return false
    throw wrong(`--${name} takes no value`, `write --${name} alone`)
  }
  if (value === undefined || value === '') throw wrong(`--${name} needs a value`, `write --${name} ${hint}`)
  return repeat ? [...(earlier as string[] | undefined ?? []), value] : value
}

function unknown(rawName: string, command: string, specs: readonly FlagSpec[]): VolleyError {
  const close = nearest(rawName.replace(/^-+/, ''), specs.map(({ name }) => name))
  return new VolleyError('unknown_flag', `Unknown flag ${rawName} of ${command}`, {
    param: rawName,
    remedy: close ? `did you mean --${close}?` : `see ${command} --help`,
  })
}

function checkPlaces(found: readonly string[], command: string, places: readonly PositionalSpec[]): void {
  const missing = places.slice(found.length).find(({ optional }) => !optional)
  const usage = [command, ...places.map(({ name, optional }) => (optional ? `[${name}]` : name))].join(' ')
  if (missing) throw new VolleyError('invalid_flag', `${missing.name} is missing`, { remedy: `write ${usage}` })
  if (found.length > places.length) {
    throw new VolleyError('invalid_flag', `Unexpected argument "${found[places.length]}" of ${command}`, {
      remedy: `write ${usage}`,
    })
  }
}
