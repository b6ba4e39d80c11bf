/**
 * One typed object out of flags, environment, file and defaults, in that order of precedence, and the origin of each
 * value. Combinations that cannot be are errors here, before anything starts.
 * @module
 */
import { VolleyError } from '../errors.ts'
import type { Config } from './config.ts'
import { type Setting, SETTINGS, variableOf } from './settings.ts'
import { type Environment, fromEnvironment, fromFile, type RawValues, rows } from './sources.ts'

/** A config and where each value came from. */
export interface Resolved {
  config: Config
  /** `flag --port`, `environment VOLLEY_PORT`, `file PATH`, `default`, or what implied it. */
  origins: Record<keyof Config, string>
  warnings: string[]
}

/** What {@linkcode resolveConfig} draws on. */
export interface ResolveOptions {
  /** Values by flag name, as typed. Names must be of the table. */
  flags?: ReadonlyMap<string, unknown>
  env?: Environment
  /** Config file; default: `VOLLEY_CONFIG`. */
  file?: string
  /** Defaults of a command that differ from the table's. */
  defaults?: Partial<Config>
}

/** Errors: `invalid_flag` for a flag's value, `invalid_config` for a variable's or a file's, and for combinations. */
export async function resolveConfig(options: ResolveOptions = {}): Promise<Resolved> {
  const { flags = new Map<string, unknown>(), env = {}, file = env['VOLLEY_CONFIG'], defaults = {} } = options
  const { values, warnings } = fromEnvironment(env)
  const merged: RawValues = { ...(file ? await fromFile(file) : {}), ...values }
  const config: Record<string, unknown> = {}
  const origins: Record<string, string> = {}
  for (const [key, setting] of rows) {
    const flag = flags.get(setting.flag)
    const found = flag === undefined ? merged[key] : { raw: flag, origin: `flag --${setting.flag}` }
    config[key] = found === undefined ? (defaults[key] ?? setting.default) : setting.kind.read(found.raw)
    origins[key] = found?.origin ?? 'default'
    if (found !== undefined && config[key] === undefined) {
      throw unusable(setting, found)
    }
  }
  const resolved = { config: config as unknown as Config, origins: origins as Record<keyof Config, string>, warnings }
  settle(resolved)
  return resolved
}

function unusable(
  { flag, secret, kind }: Setting<unknown>,
  { raw, origin }: { raw: unknown; origin: string },
): VolleyError {
  const fromFlag = origin === `flag --${flag}`
  const subject = fromFlag ? `--${flag}` : `setting ${flag} (${origin})`
  const shown = secret ? '' : `: current value is ${JSON.stringify(raw)}`
  return new VolleyError(fromFlag ? 'invalid_flag' : 'invalid_config', `Cannot use ${subject}${shown}`, {
    param: flag,
    remedy: `give ${kind.expects}`,
  })
}

/** What values imply for each other, and what they cannot be together. */
function settle({ config, origins }: Resolved): void {
  const labelled = Object.values(config.labels).reduce((sum, count) => sum + count, 0)
  if (origins.instances === 'default' && labelled > 0) {
    config.instances = labelled
    origins.instances = 'implied by --labels'
  } else if (origins.labels === 'default' && labelled > config.instances) {
    config.labels = {}
  } else if (labelled > config.instances) {
    throw new VolleyError('invalid_config', `Cannot label ${labelled} instances when there are ${config.instances}`, {
      param: 'labels',
      remedy: `give --instances ${labelled} or more, or leave --instances out`,
    })
  }
  if (config.transfer === 'memory' && config.perProcess === 1 && config.instances > 1) {
    throw new VolleyError(
      'invalid_config',
      'Cannot move KV blocks through memory when every instance has a process of its own',
      {
        param: 'transfer',
        remedy: `give --per-process ${config.instances}, or --transfer auto`,
      },
    )
  }
}

/**
 * The environment of a process of our own that is to have this config: the settings that differ from the table's
 * defaults, in place of all settings of `base`.
 */
export function toEnvironment(config: Config, base: Environment = {}): Record<string, string | undefined> {
  const out: Record<string, string | undefined> = { ...base }
  delete out['VOLLEY_CONFIG']
  for (const [key, { flag, kind, alsoEnv }] of rows) {
    const shown = kind.show(config[key])
    delete out[variableOf(flag)]
    if (alsoEnv !== undefined) delete out[alsoEnv]
    if (shown !== kind.show(SETTINGS[key].default)) out[variableOf(flag)] = shown
  }
  return out
}

/** Every setting with its value as text and its origin, for `--print-config`. Secrets are counted, not shown. */
export function describeConfig(
  { config, origins }: Resolved,
): { key: string; value: unknown; shown: string; origin: string }[] {
  return rows.map(([key, { flag, kind, secret, defaultHelp }]) => {
    const value = config[key]
    const text = secret && Array.isArray(value)
      ? (value.length > 0 ? `(${value.length} hidden)` : '')
      : kind.show(value)
    return {
      key: flag,
      value: secret ? text : (value ?? null),
      shown: text || `(${defaultHelp ?? 'none'})`,
      origin: origins[key],
    }
  })
}
