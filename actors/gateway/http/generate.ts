/**
 * The road of a generating request: submit, gather, answer, whole or as a stream. The same for both routes; what
 * differs is their Shape.
 * @module
 */
import type { Clock } from '../../../runtime/clock.ts'
import type { TextModel } from '../../../runtime/engine/text.ts'
import { toVolleyError } from '../../../runtime/errors.ts'
import type { Front, OpenRequest, Submission } from '../front.ts'
import type { Hold } from '../pictures/budget.ts'
import { errorBody, errorResponse } from './errors.ts'
import { ignoredHeader } from './fields.ts'
import { type Delta, deltas } from './generation.ts'
import { cancelledOnce, guarded } from './guard.ts'
import type { HttpLimits } from './limits.ts'
import type { HttpMetrics, Measure } from './metrics.ts'
import type { Reply, Shape } from './shape.ts'
import { sseEvent, sseHeaders, sseStream } from './sse.ts'

/** How much longer than the request's own deadline its reader waits to hear of it. */
const DEADLINE_GRACE_MS = 2_000

/** What a route has made of a body. */
export interface Job {
  model: TextModel
  submission: Submission
  /** Of the prompt's tokens, those that stand for pictures. */
  imageTokens: number
  shape: (reply: Reply) => Shape
  stream: boolean
  includeUsage: boolean
  returnTokenIds: boolean
  /** Names of fields that were not looked at. */
  ignored: string[]
}

export interface GenerateOptions {
  front: Front
  limits: HttpLimits
  clock: Clock
  metrics: HttpMetrics
  onError: (error: unknown, requestId: string) => void
}

interface Usage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  prompt_tokens_details?: { image_tokens: number }
}

/** When a request came, what it holds until it has ended, and whether its caller is there still. */
export interface Arrival {
  /** Monotonic. */
  startMs: number
  hold: Hold
  signal: AbortSignal
}

/** Answers a job. Throws what is known at admission; what fails later is told in the answer, under the request's id. */
export async function generate(job: Job, arrival: Arrival, options: GenerateOptions): Promise<Response> {
  const { clock, front, metrics } = options
  const { startMs, hold, signal } = arrival
  hold.shrink(job.submission.pictures.reduce((sum, { file }) => sum + file.length, 0))
  const open = cancelledOnce(await front.submit(job.submission, signal))
  const measure = metrics.begin(job.model.name, job.submission.prompt.length, startMs)
  const end = (reason: string) => {
    hold.release()
    measure.end(reason)
  }
  const reply: Reply = {
    id: open.id,
    created: Math.floor(clock.now() / 1000),
    model: job.model,
    prompt: job.submission.prompt,
    n: job.submission.n,
    logprobs: job.submission.sampling.topLogprobs !== undefined,
    returnTokenIds: job.returnTokenIds,
  }
  const answer = new Answer(job, open, reply, { step: measure.step, end }, signal, options)
  const headers = {
    'x-request-id': open.id,
    ...(job.ignored.length > 0 ? { 'x-volley-ignored': ignoredHeader(job.ignored) } : {}),
  }
  if (!job.stream) return answer.whole(headers)
  const bytes = sseStream(answer.pieces(), {
    clock,
    heartbeatMs: options.limits.heartbeatMs,
    onGone: () => answer.gone(),
  })
  return new Response(bytes, { headers: { ...sseHeaders, ...headers } })
}

class Answer {
  readonly #job: Job
  readonly #open: OpenRequest
  readonly #shape: Shape
  readonly #measure: Measure
  readonly #steps: AsyncGenerator<Delta[], void, undefined>
  readonly #onError: (error: unknown) => void
  readonly #head: { id: string; created: number; model: string }
  #generated = 0

  constructor(
    job: Job,
    open: OpenRequest,
    reply: Reply,
    measure: Measure,
    signal: AbortSignal,
    options: GenerateOptions,
  ) {
    const { submission, model } = job
    this.#job = job
    this.#open = open
    this.#measure = measure
    this.#shape = job.shape(reply)
    this.#head = { id: this.#shape.idPrefix + reply.id, created: reply.created, model: model.name }
    this.#onError = (error) => options.onError(error, reply.id)
    const timeoutMs = submission.timeoutMs + DEADLINE_GRACE_MS
    const tokens = guarded(open, { clock: options.clock, timeoutMs, signal })
    const { stop, n, sampling } = submission
    const continues = this.#shape.continuesPrompt
    this.#steps = deltas(tokens, { model, stop, stopTokens: sampling.stopTokens, n, continues })
  }

  /** The reader of a stream has gone. */
  gone(): void {
    this.#open.cancel()
    this.#measure.end('cancelled')
  }

  async whole(headers: Record<string, string>): Promise<Response> {
    const { n } = this.#job.submission
    const choices = Array.from({ length: n }, (_, choice): Delta => ({ choice, text: '', tokens: [] }))
    try {
      for await (const step of this.#steps) {
        this.#count(step)
        for (const { choice, text, tokens, finish } of step) {
          const merged = choices[choice]!
          merged.text += text
          merged.tokens.push(...tokens)
          if (finish) merged.finish = finish
        }
      }
    } catch (error) {
      this.#measure.end(toVolleyError(error).code)
      this.#onError(error)
      return errorResponse(error, headers)
    }
    this.#measure.end(choices[0]!.finish!)
    const { id, created, model } = this.#head
    const body = {
      id,
      object: this.#shape.wholeObject,
      created,
      model,
      ...this.#shape.whole(choices),
      usage: this.#usage(),
    }
    return new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json', ...headers } })
  }

  /** Events of a stream, one string a step. Never throws: a failure is the last event. */
  async *pieces(): AsyncGenerator<string, void, undefined> {
    let reason = 'stop'
    try {
      const opening = this.#shape.opening()
      if (opening.length > 0) yield this.#events(opening)
      for await (const step of this.#steps) {
        this.#count(step)
        reason = step[0]!.finish ?? reason
        const chunks = step.flatMap((delta) => this.#shape.chunks(delta))
        if (chunks.length > 0) yield this.#events(chunks)
      }
      const usage = this.#job.includeUsage ? sseEvent({ ...this.#chunkHead(), choices: [], usage: this.#usage() }) : ''
      this.#measure.end(reason)
      yield usage + sseEvent('[DONE]')
    } catch (thrown) {
      const error = toVolleyError(thrown)
      this.#measure.end(error.code)
      this.#onError(thrown)
      yield sseEvent(errorBody(error))
    }
  }

  #events(chunks: object[]): string {
    const usage = this.#job.includeUsage ? { usage: null } : {}
    const head = this.#chunkHead()
    return chunks.map((chunk) => sseEvent({ ...head, ...chunk, ...usage })).join('')
  }

  #chunkHead() {
    const { id, created, model } = this.#head
    return { id, object: this.#shape.chunkObject, created, model }
  }

  #count(step: Delta[]): void {
    const sizes = step.map(({ tokens }) => tokens.length)
    const total = sizes.reduce((sum, size) => sum + size, 0)
    this.#generated += total
    this.#measure.step(Math.max(...sizes), total)
  }

  #usage(): Usage {
    const prompt = this.#job.submission.prompt.length
    const { imageTokens } = this.#job
    return {
      prompt_tokens: prompt,
      completion_tokens: this.#generated,
      total_tokens: prompt + this.#generated,
      ...(imageTokens > 0 && { prompt_tokens_details: { image_tokens: imageTokens } }),
    }
  }
}
