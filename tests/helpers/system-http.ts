/**
 * Asking a running system over HTTP, answers kept as the bytes that came: for comparing two systems' answers.
 * @module
 */

/** A request of one of the two generating routes, as it is sent; `path` is left out of the body. */
export interface Question {
  path: 'completions' | 'chat/completions'
  stream?: boolean
  [field: string]: unknown
}

/** Two choices that draw, long enough to be struck in the middle. */
export const longAnswer: Question = {
  path: 'completions',
  prompt: 'Once upon a time',
  max_tokens: 400,
  temperature: 0.8,
  seed: 3,
  n: 2,
  ignore_eos: true,
  stream: true,
  return_token_ids: true,
}

/** As long as the context, and as many choices as a step takes: it is still running whenever one looks. */
export const endless: Question = {
  path: 'completions',
  prompt: 'Once upon a time',
  max_tokens: 480,
  n: 8,
  ignore_eos: true,
  seed: 1,
}

export interface Reply {
  /** `x-request-id`. */
  id: string
  status: number
  /**
   * The body without what differs between any two answers (`id`, `created`); of a stream, what its chunks add up to, since
   * how many tokens a chunk carries depends on the moment.
   */
  text: string
}

interface Chunk {
  object?: string
  error?: unknown
  choices?: {
    index: number
    delta?: { role?: string; content?: string }
    text?: string
    logprobs?: unknown
    finish_reason?: string | null
    token_ids?: number[]
    prompt_token_ids?: number[]
  }[]
  prompt_token_ids?: number[]
  usage?: unknown
}

export class SystemHttp {
  readonly url: string
  /** Name of the model in the API. */
  readonly model: string

  private constructor(url: string, model: string) {
    this.url = url
    this.model = model
  }

  static async connect(url: string): Promise<SystemHttp> {
    const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] }
    return new SystemHttp(url, data[0]!.id)
  }

  /** Sends a question; resolves with the answer's head. */
  send({ path, ...fields }: Question, signal?: AbortSignal): Promise<Response> {
    return fetch(`${this.url}/v1/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: this.model, ...fields }),
      ...(signal ? { signal } : {}),
    })
  }

  /** Asks and reads to the end. `onPiece` hears each piece of the body as it comes. */
  async ask(question: Question, onPiece?: (text: string, id: string) => void): Promise<Reply> {
    const response = await this.send(question)
    const id = response.headers.get('x-request-id') ?? ''
    const decoder = new TextDecoder()
    let raw = ''
    for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
      const piece = decoder.decode(bytes, { stream: true })
      raw += piece
      onPiece?.(piece, id)
    }
    return { id, status: response.status, text: question.stream ? joined(raw) : plain(raw) }
  }
}

const plain = (raw: string): string =>
  raw.replace(/"id":"(?:chat)?cmpl-[^"]*"/g, '"id":""').replace(/"created":\d+/g, '"created":0')

/** What a stream's chunks add up to, choice by choice. */
function joined(raw: string): string {
  const data = raw.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice(6))
  const chunks = data.filter((line) => line !== '[DONE]').map((line) => JSON.parse(line) as Chunk)
  const choices: {
    text: string
    role: string[]
    logprobs: unknown
    finish: unknown[]
    tokens: number[]
    prompt: unknown[]
  }[] = []
  for (const { choices: some = [], prompt_token_ids: prompt } of chunks) {
    for (const { index, delta, text, logprobs, finish_reason: finish, token_ids: ids, prompt_token_ids: own } of some) {
      const choice =
        (choices[index] ??= { text: '', role: [], logprobs: undefined, finish: [], tokens: [], prompt: [] })
      choice.text += delta?.content ?? text ?? ''
      choice.logprobs = merge(choice.logprobs, logprobs)
      choice.tokens.push(...(ids ?? []))
      if (delta?.role !== undefined) choice.role.push(delta.role)
      if (finish) choice.finish.push(finish)
      if (prompt ?? own) choice.prompt.push(prompt ?? own)
    }
  }
  const objects = [...new Set(chunks.map(({ object }) => object))]
  const usage = chunks.flatMap(({ usage }) => (usage ? [usage] : []))
  const errors = chunks.flatMap(({ error }) => (error ? [error] : []))
  return JSON.stringify({ objects, choices, usage, errors, last: data.at(-1) })
}

/** Lists one after the other, objects field by field. */
function merge(a: unknown, b: unknown): unknown {
  if (b === null || b === undefined) return a
  if (Array.isArray(a) && Array.isArray(b)) return [...a, ...b]
  if (typeof a !== 'object' || a === null || typeof b !== 'object') return b
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries(
    [...keys].map((key) => [key, merge((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])]),
  )
}
