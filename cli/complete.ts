/**
 * One request to a gateway over HTTP, its text handed on as it comes. Knows OpenAI's shapes as far as a single answer
 * needs them.
 * @module
 */
import { ERROR_KINDS, type ErrorCode, VolleyError } from '../runtime/errors.ts'

/** What to ask and how to reach it. */
export interface Ask {
  /** Of the gateway, without a path. */
  url: string
  apiKey?: string
  /** @default {what the gateway serves} */
  model?: string
  prompt: string
  /** As `data:` URL. */
  image?: string
  maxTokens?: number
  temperature?: number
  seed?: number
  onText: (text: string) => void
  signal: AbortSignal
}

/** What came back. */
export interface Answer {
  /** Names the request for `volley trace`. */
  id: string
  model: string
  finish: string
  promptTokens: number
  outputTokens: number
  /** Send to first piece of text. */
  ttftMs: number
  totalMs: number
}

interface Chunk {
  model?: string
  error?: unknown
  choices?: { delta?: { content?: string | null }; finish_reason?: string | null }[]
  usage?: { prompt_tokens: number; completion_tokens: number } | null
}

/** Asks as a chat, streamed. Errors: the gateway's own codes; `bus_unreachable` when nobody answers there. */
export async function complete(ask: Ask): Promise<Answer> {
  const startedMs = performance.now()
  const model = ask.model ?? (await servedModel(ask)).id
  const image = ask.image === undefined ? [] : [{ type: 'image_url', image_url: { url: ask.image } }]
  const response = await send(ask, '/v1/chat/completions', {
    model,
    messages: [{
      role: 'user',
      content: image.length > 0 ? [{ type: 'text', text: ask.prompt }, ...image] : ask.prompt,
    }],
    stream: true,
    stream_options: { include_usage: true },
    ...(ask.maxTokens !== undefined && { max_tokens: ask.maxTokens }),
    ...(ask.temperature !== undefined && { temperature: ask.temperature }),
    ...(ask.seed !== undefined && { seed: ask.seed }),
  })
  const id = response.headers.get('x-request-id') ?? ''
  const answer: Answer = { id, model, finish: '', promptTokens: 0, outputTokens: 0, ttftMs: 0, totalMs: 0 }
  for await (const data of events(response)) {
    if (data === '[DONE]') break
    const chunk = JSON.parse(data) as Chunk
    if (chunk.error) throw errorOf(chunk, 500)
    const text = chunk.choices?.[0]?.delta?.content ?? ''
    if (text !== '') {
      answer.ttftMs ||= Math.round(performance.now() - startedMs)
      ask.onText(text)
    }
    answer.finish = chunk.choices?.[0]?.finish_reason ?? answer.finish
    answer.promptTokens = chunk.usage?.prompt_tokens ?? answer.promptTokens
    answer.outputTokens = chunk.usage?.completion_tokens ?? answer.outputTokens
  }
  if (answer.finish === '') throw new VolleyError('internal', `The answer to ${id} ended before it was complete`)
  return { ...answer, totalMs: Math.round(performance.now() - startedMs) }
}

/** The request as the gateway tells it afterwards. */
export async function requestDetails<T>(ask: Pick<Ask, 'url' | 'apiKey' | 'signal'>, id: string): Promise<T> {
  return await (await send(ask, `/v1/requests/${encodeURIComponent(id)}`)).json() as T
}

/** The model that a gateway serves, and whether it sees. Error: `no_instance` when there is none yet. */
export async function servedModel(ask: Pick<Ask, 'url' | 'apiKey' | 'signal'>): Promise<{ id: string; sees: boolean }> {
  const { data } = await (await send(ask, '/v1/models')).json() as { data: { id: string; input_modalities?: string[] }[] }
  if (data[0]) return { id: data[0].id, sees: data[0].input_modalities?.includes('image') ?? false }
  throw new VolleyError('no_instance', `The gateway at ${ask.url} serves no model yet`, { remedy: 'start an instance' })
}

async function send(
  { url, apiKey, signal }: Pick<Ask, 'url' | 'apiKey' | 'signal'>,
  path: string,
  body?: unknown,
): Promise<Response> {
  const headers = {
    'content-type': 'application/json',
    ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
  }
  const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  const response = await fetch(url + path, { ...init, headers, signal }).catch((cause: unknown) => {
    signal.throwIfAborted()
    const reason = (cause as Error).cause instanceof Error ? ((cause as Error).cause as Error).message : String(cause)
    throw new VolleyError('bus_unreachable', `Cannot reach the gateway at ${url}: ${reason}`, {
      cause,
      remedy: 'start one by `volley serve`',
    })
  })
  if (response.ok) return response
  throw errorOf(await response.json().catch(() => undefined), response.status)
}

function errorOf(body: unknown, status: number): VolleyError {
  const { message, code, param } =
    (body as { error?: { message?: string; code?: string; param?: string } } | undefined)?.error ?? {}
  const known = code !== undefined && Object.hasOwn(ERROR_KINDS, code) ? (code as ErrorCode) : 'internal'
  return new VolleyError(
    known,
    (message ?? `The gateway answered HTTP ${status}`).replace(/\.$/, ''),
    param ? { param } : {},
  )
}

/** The data of each server-sent event. */
async function* events(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(bytes, { stream: true })
    const lines = rest.split(/\r?\n/)
    rest = lines.pop()!
    for (const line of lines) if (line.startsWith('data: ')) yield line.slice(6)
  }
}
