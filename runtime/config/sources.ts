/**
 * Where values come from besides the command line: the environment and a config file (JSON, or a module with a default
 * export). Finds names it does not know; does not read values.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { VolleyError } from '../errors.ts'
import { nearest } from './nearest.ts'
import type { Config } from './config.ts'
import { OTHER_VARIABLES, type Setting, SETTINGS, variableOf } from './settings.ts'

/** Variables of the environment, by name. */
export type Environment = Readonly<Record<string, string | undefined>>
/** Values as they were found, by key of the config. */
export type RawValues = Partial<Record<keyof Config, { raw: unknown; origin: string }>>

/** The table's rows with their keys, widened for loops. */
export const rows = Object.entries(SETTINGS) as [keyof Config, Setting<unknown>][]

const camel = (flag: string): string => flag.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

/** Settings found in the environment, and a warning for each `VOLLEY_*` variable that means nothing. */
export function fromEnvironment(env: Environment): { values: RawValues; warnings: string[] } {
  const values: RawValues = {}
  for (const [key, { flag, alsoEnv }] of rows) {
    // A variable set to nothing is a variable not set: that is how shells and compose files clear one.
    const name = [variableOf(flag), alsoEnv].find((n) => n !== undefined && env[n])
    if (name !== undefined) values[key] = { raw: env[name], origin: `environment ${name}` }
  }
  const known = [...rows.map(([, { flag }]) => variableOf(flag)), ...Object.keys(OTHER_VARIABLES)]
  const warnings = Object.keys(env)
    .filter((name) => name.startsWith('VOLLEY_') && !known.includes(name))
    .map((name) => {
      const close = nearest(name, known)
      return `Environment variable ${name} means nothing to Volley${close ? `; did you mean ${close}?` : ''}`
    })
  return { values, warnings }
}

/** Settings of a config file. Errors: `invalid_config` for a file that cannot be read and for keys that do not exist. */
export async function fromFile(path: string): Promise<RawValues> {
  const content = await load(path)
  const keys = new Map(
    rows.flatMap(([key, { flag }]) => [[flag, key] as const, [camel(flag), key] as const, [key, key] as const]),
  )
  const values: RawValues = {}
  for (const [name, raw] of Object.entries(content)) {
    const key = keys.get(name)
    if (key === undefined) {
      const close = nearest(name, rows.map(([, { flag }]) => camel(flag)))
      throw new VolleyError('invalid_config', `Unknown key "${name}" in ${path}`, {
        param: name,
        remedy: close
          ? `did you mean "${close}"?`
          : `known keys: ${rows.map(([, { flag }]) => camel(flag)).join(', ')}`,
      })
    }
    if (raw !== undefined && raw !== null) values[key] = { raw, origin: `file ${path}` }
  }
  return values
}

async function load(path: string): Promise<Record<string, unknown>> {
  let content: unknown
  try {
    if (/\.[cm]?[jt]s$/.test(path)) {
      content = (await import(pathToFileURL(resolve(path)).href) as { default?: unknown }).default
    } else content = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw new VolleyError('invalid_config', `Cannot read the config file ${path}: ${message}`, {
      param: 'config',
      cause,
      remedy: 'give a JSON file, or a .ts or .js module with a default export',
    })
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new VolleyError('invalid_config', `Cannot use the config file ${path}: it must hold one object`, {
      param: 'config',
      remedy: 'write { "port": 8080 }, or export default { port: 8080 }',
    })
  }
  return content as Record<string, unknown>
}
