/**
 * An open-loop load over HTTP, as users would make it, and what became of each request by the client's clock: TTFT =
 * send to first non-empty piece, TPOT = (E2E - TTFT) / (output tokens - 1). Knows the API, nothing of who serves it.
 * @module
 */
import { setTimeout } from 'node:timers/promises'
import { VolleyError } from '../runtime/errors.ts'

/** One request of a load. */
export interface Offer {
  /** After the start, ms. */
  atMs: number
  prompt: number[]
  outputTokens: number
}

/** What became of it. */
export interface Outcome {
  status: 'finished' | 'rejected' | 'failed'
  outputTokens: number
  ttftMs: number
  e2eMs: number
  /** Gaps between pieces, ms. */
  itlMs: number[]
  error?: string
}

/** Offers each request at its time, whatever the answers do; resolves when all have ended. */
export async function offer(url: string, model: string, offers: readonly Offer[]): Promise<Outcome[]> {
  const startedMs = performance.now()
  const outcomes: Promise<Outcome>[] = []
  for (const { atMs, prompt, outputTokens } of offers) {
    const waitMs = startedMs + atMs - performance.now()
    if (waitMs > 0) await setTimeout(waitMs)
    const body = { model, prompt, max_tokens: outputTokens, temperature: 0, ignore_eos: true, stream: true, return_token_ids: true }
    outcomes.push(ask(url, body))
  }
  return await Promise.all(outcomes)
}

/** Pause between Poisson arrivals, ms; `uniform` in [0, 1). */
export const pauseMs = (uniform: number, perSecond: number): number => -Math.log(1 - uniform) * 1000 / perSecond

/** Tokens that no two prompts share. */
export const randomPrompt = (random: () => number, tokens: number): number[] => Array.from({ length: tokens }, () => 10 + Math.floor(random() * 200))

/** Time a token after the first, ms. */
export const tpotOf = ({ e2eMs, ttftMs, outputTokens }: Outcome): number => (outputTokens > 1 ? (e2eMs - ttftMs) / (outputTokens - 1) : 0)

/** Whether a request was answered inside both targets. */
export const keeps = (o: Outcome, slo: { ttft: number; tpot: number }): boolean =>
  o.status === 'finished' && o.ttftMs <= slo.ttft && tpotOf(o) <= slo.tpot

/** Name of the first model served. Error: `bus_unreachable`. */
export async function firstModel(url: string): Promise<string> {
  const response = await fetch(`${url}/v1/models`, { signal: AbortSignal.timeout(10_000) }).catch((cause: unknown) => {
    throw new VolleyError('bus_unreachable', `Nobody answers at ${url}`, { cause, remedy: 'start the system with `volley serve`' })
  })
  const body = (await response.json()) as { data: { id: string }[] }
  return body.data[0]!.id
}

/** Sends one streamed request now. */
export async function ask(url: string, body: object, path: 'completions' | 'chat/completions' = 'completions'): Promise<Outcome> {
  const sentMs = performance.now()
  const outcome: Outcome = { status: 'failed', outputTokens: 0, ttftMs: Infinity, e2eMs: Infinity, itlMs: [] }
  try {
    const response = await fetch(`${url}/v1/${path}`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal: AbortSignal.timeout(600_000),
    })
    if (!response.ok) {
      const status = response.status === 429 || response.status === 503 ? 'rejected' : 'failed'
      return { ...outcome, status, error: (await response.text()).slice(0, 200) }
    }
    let lastMs = 0
    for await (const event of events(response)) {
      if (event === '[DONE]') return { ...outcome, status: 'finished', e2eMs: performance.now() - sentMs }
      const chunk = JSON.parse(event) as { error?: { message: string }; choices: { text?: string; delta?: { content?: string }; token_ids?: number[] }[] }
      if (chunk.error) return { ...outcome, error: chunk.error.message }
      const choice = chunk.choices[0]
      const nowMs = performance.now()
      outcome.outputTokens += choice?.token_ids?.length ?? 0
      if (!choice?.text && !choice?.delta?.content && !choice?.token_ids?.length) continue
      if (outcome.ttftMs === Infinity) outcome.ttftMs = nowMs - sentMs
      else outcome.itlMs.push(nowMs - lastMs)
      lastMs = nowMs
    }
    return { ...outcome, error: 'the stream ended before [DONE]' }
  } catch (error) {
    return { ...outcome, error: String(error) }
  }
}

/** The `data:` lines of a server-sent stream. */
async function* events(response: Response): AsyncGenerator<string> {
  let rest = ''
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop()!
    for (const line of lines) if (line.startsWith('data: ')) yield line.slice(6)
  }
}

/** Mulberry32: the same seed offers the same load. */
export function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
