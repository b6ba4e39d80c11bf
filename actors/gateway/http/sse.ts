/**
 * Server-sent events over a plain ReadableStream: one write per piece, made only when the reader has room for it.
 * @module
 */
import type { Clock } from '../../../runtime/clock.ts'

export const sseHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // Else nginx gathers the stream before it passes it on.
  'x-accel-buffering': 'no',
} as const

/** One event. */
export const sseEvent = (data: object | string): string =>
  `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`

/**
 * Bytes of `pieces`, which must not throw. While they keep silent a comment goes out every `heartbeatMs`; when the
 * reader goes away `onGone` is called at once and `pieces` is ended.
 */
export function sseStream(
  pieces: AsyncGenerator<string, void, undefined>,
  { clock, heartbeatMs, onGone }: { clock: Clock; heartbeatMs: number; onGone: () => void },
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let gone = false
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      let stopTimer = () => {}
      const beat = () => {
        stopTimer = clock.setTimer(heartbeatMs, () => {
          if (gone) return
          controller.enqueue(encoder.encode(': waiting\n\n'))
          beat()
        })
      }
      beat()
      const { done, value } = await pieces.next()
      stopTimer()
      if (gone) return
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    async cancel() {
      gone = true
      onGone()
      await pieces.return()
    },
  })
}
