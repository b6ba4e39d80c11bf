/**
 * `--engine` of a benchmark: one name, or one a phase.
 * @module
 */
import { SETTINGS } from '../runtime/config/mod.ts'
import { VolleyError } from '../runtime/errors.ts'

/** What `startEngine` is told. Error: `invalid_flag`. */
export function toEngines(text: string): { backend: string; decodeBackend: string } {
  const { kind } = SETTINGS.engine
  const read = kind.read(text)
  if (read === undefined) throw new VolleyError('invalid_flag', `--engine must be ${kind.expects}, not "${text}"`, { param: 'engine' })
  const named = (name: string) => (name === 'auto' ? 'wasm' : name)
  return { backend: named(read.prefill), decodeBackend: named(read.decode) }
}
