/**
 * Waits until a gateway says that requests can be answered.
 * @module
 */
import { type Clock, sleep } from '../../runtime/clock.ts'
import { VolleyError } from '../../runtime/errors.ts'

const POLL_MS = 50
const ASK_MS = 2000
/** How often a person is told why it still waits. */
const TELL_MS = 10_000

/** What {@linkcode waitUntilReady} needs. */
export interface ReadyOptions {
  clock: Clock
  timeoutMs: number
  /** So many must be there: the first request should not have to wait for the last one to load. */
  instances: number
  signal: AbortSignal
  /** Told from time to time why not yet. */
  onWait: (reason: string) => void
}

/** Resolves when `GET /ready` is 200 and all instances are there. Errors: `no_instance` after the deadline; the signal's reason. */
export async function waitUntilReady(http: string, { clock, timeoutMs, instances, signal, onWait }: ReadyOptions): Promise<void> {
  const end = clock.monotonic() + timeoutMs
  let tellAt = clock.monotonic() + TELL_MS
  for (;;) {
    const reason = await whyNot(http, instances, signal)
    if (reason === undefined) return
    const now = clock.monotonic()
    if (now > end) {
      throw new VolleyError('no_instance', `The system was not ready after ${timeoutMs / 1000} s: ${reason}`, {
        remedy: 'run again with --log-level info to see what it waits for',
      })
    }
    if (now > tellAt) {
      onWait(reason)
      tellAt = now + TELL_MS
    }
    await sleep(clock, POLL_MS, signal)
  }
}

async function whyNot(http: string, instances: number, signal: AbortSignal): Promise<string | undefined> {
  try {
    const response = await fetch(`${http}/ready`, { signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]) })
    const body = await response.json().catch(() => undefined) as { instances?: number; error?: { message?: string } } | undefined
    if (!response.ok) return body?.error?.message ?? `HTTP ${response.status}`
    const here = body?.instances ?? 0
    return here >= instances ? undefined : `${here} of ${instances} instances are up`
  } catch {
    signal.throwIfAborted()
    return 'the gateway does not answer yet'
  }
}
