/**
 * Waiting for KV blocks: an instance takes a hop when there seems to be room, and others may be faster. Full is not failed.
 * @module
 */
import { type Clock, sleep } from '../runtime/clock.ts'
import { isVolleyError } from '../runtime/errors.ts'

const RETRY_MS = 20
/**
 * Longest wait for room beside what is resident. Then the request gives its KV up and is prefilled again: instances that are
 * full of prompts that wait for room at each other would wait for ever.
 */
export const PATIENCE_MS = 10_000

/**
 * Tries again while `attempt` ends in `kv_exhausted`, for at most `patienceMs`; then that error is thrown. `attempt` must
 * leave nothing behind when it fails.
 */
export async function whenRoom<T>(clock: Clock, signal: AbortSignal, patienceMs: number, attempt: () => Promise<T>): Promise<T> {
  const end = clock.monotonic() + patienceMs
  while (true) {
    try {
      return await attempt()
    } catch (error) {
      if (!isVolleyError(error, 'kv_exhausted') || clock.monotonic() > end) throw error
      await sleep(clock, RETRY_MS, signal)
    }
  }
}
