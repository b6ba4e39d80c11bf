/**
 * What a process's death at start means for the whole: whether to go on trying, and the one error to show if not.
 * @module
 */
import { ERROR_KINDS, type ErrorCode, VolleyError } from '../../runtime/errors.ts'
import type { Death } from './role.ts'

/** An error of its own accord is believed after so many equal ends. */
const TRIES = 3

/**
 * The error to stop with; undefined = start it again. Exit codes 2 and 3 mean that trying again cannot help; a death
 * by signal is none of the process's own doing.
 */
export function failureAtStart({ name, code, signal, lastLine, inRow }: Death): VolleyError | undefined {
  if (signal !== null || code === null) return undefined
  if (code !== 2 && code !== 3 && inRow < TRIES) return undefined
  return errorOfLine(lastLine) ??
    new VolleyError('internal', `${name} ended ${inRow} times at start: ${lastLine || `exit code ${code}`}`)
}

/** The error that a process of ours wrote as its last line. */
function errorOfLine(line: string): VolleyError | undefined {
  const [, message = '', remedy, code = ''] = /^(.*?)\.(?: To fix: (.*))? \[(\w+)\]$/.exec(line) ?? []
  if (!Object.hasOwn(ERROR_KINDS, code)) return undefined
  return new VolleyError(code as ErrorCode, message, remedy === undefined ? {} : { remedy })
}
