/**
 * Trying again while the broker does not answer: long enough to outlive a leader election, never for ever (rule 16).
 * @module
 */
import { type Clock, sleep } from '../clock.ts'
import { isVolleyError } from '../errors.ts'

const PATIENCE_MS = 10_000
const RETRY_MS = 50

/** Repeats `attempt` while it ends in `bus_timeout` or `bus_conflict`; then that error is thrown. `attempt` must be safe to repeat. */
export async function patiently<T>(clock: Clock, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
  const end = clock.monotonic() + PATIENCE_MS
  while (true) {
    try {
      return await attempt()
    } catch (error) {
      const passing = isVolleyError(error, 'bus_timeout') || isVolleyError(error, 'bus_conflict')
      if (!passing || clock.monotonic() > end) throw error
      await sleep(clock, RETRY_MS, signal)
    }
  }
}
