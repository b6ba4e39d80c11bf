/**
 * Ctrl-C and its kin as two steps: first a wish to stop, then an order.
 * @module
 */
import process from 'node:process'
import { VolleyError } from '../../runtime/errors.ts'

/**
 * npm, its shell and the bootstrap each pass one key press on: what comes within this is the same one.
 */
const SAME_PRESS_MS = 400

/** Calls `onFirst` at the first signal to stop, `onSecond` at the next; gives back how to stop listening. */
export function onStopSignals(onFirst: () => void, onSecond: () => void): () => void {
  let first: number | undefined
  const heard = () => {
    if (first === undefined) {
      first = performance.now()
      onFirst()
    } else if (performance.now() - first > SAME_PRESS_MS) onSecond()
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, heard)
  return () => signals.forEach((signal) => process.off(signal, heard))
}

/** A signal that fires, with `cancelled`, at the first wish to stop; the second ends the process. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  const stopped = new VolleyError('cancelled', 'Stopped by a signal before it was done')
  onStopSignals(() => controller.abort(stopped), () => process.exit(130))
  return controller.signal
}
