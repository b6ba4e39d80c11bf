/**
 * Puts an end to waiting: tokens of an open request until a deadline or until its reader has gone, whatever becomes of
 * the side that should send them.
 * @module
 */
import type { Clock } from '../../../runtime/clock.ts'
import type { TokenOut } from '../../../runtime/engine/engine.ts'
import { VolleyError } from '../../../runtime/errors.ts'
import type { OpenRequest } from '../front.ts'

/** The same request; however many find out that its reader has gone, it is cancelled once. */
export function cancelledOnce(open: OpenRequest): OpenRequest {
  let cancelled = false
  return {
    id: open.id,
    tokens: open.tokens,
    cancel() {
      if (!cancelled) open.cancel()
      cancelled = true
    },
  }
}

/**
 * The request's tokens; the request is cancelled when they are left early. Errors: `deadline` after `timeoutMs`,
 * `cancelled` when the signal fires, and what the tokens themselves throw.
 */
export async function* guarded(
  open: OpenRequest,
  { clock, timeoutMs, signal }: { clock: Clock; timeoutMs: number; signal: AbortSignal },
): AsyncGenerator<TokenOut[], void, undefined> {
  const iterator = open.tokens[Symbol.asyncIterator]()
  let failure: VolleyError | undefined
  let reject: (error: VolleyError) => void = () => {}
  const fail = (error: VolleyError) => {
    failure ??= error
    open.cancel()
    reject(failure)
  }
  const onAbort = () => fail(new VolleyError('cancelled', 'The client went away'))
  const stopTimer = clock.setTimer(
    timeoutMs,
    () => fail(new VolleyError('deadline', `The request lasted longer than ${timeoutMs} ms`)),
  )
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  let ended = false
  try {
    while (true) {
      const next = await new Promise<IteratorResult<TokenOut[]>>((resolve, rejectNext) => {
        reject = rejectNext
        if (failure) rejectNext(failure)
        else iterator.next().then(resolve, rejectNext)
      })
      if (next.done) {
        ended = true
        return
      }
      yield next.value
    }
  } catch (error) {
    ended = true
    throw error
  } finally {
    stopTimer()
    signal.removeEventListener('abort', onAbort)
    if (!ended) open.cancel()
  }
}
