/**
 * Prompts as token ids. Long ones are worked at on a thread of their own: a million characters take seconds, in which
 * every stream of the caller's thread would stand still, and its presence age out.
 * @module
 */
import { Worker } from 'node:worker_threads'
import { isVolleyError, VolleyError } from '../../errors.ts'
import { Gate } from '../gate.ts'
import type { ChatMessage, TextModel } from '../text.ts'
import { type ErrorData, fromErrorData } from '../worker/protocol.ts'

/** So many characters take some tens of milliseconds at worst: less than a thread takes to start. */
const SHORT_CHARS = 20_000
const TIMEOUT_MS = 60_000

/** What is to be encoded: a text with the model's first token before it, or a chat by its template. */
export type PromptText = { text: string } | { messages: ChatMessage[] }

/** Errors: those of TextModel's `encode` and `chat`; `cancelled`, `deadline`. */
export type Prompts = (prompt: PromptText, signal: AbortSignal) => Promise<number[]>

/** What the thread is started with, and its one answer. */
export interface PromptOrder {
  path: string
  prompt: PromptText
}
export type PromptAnswer = { ids: Int32Array } | { error: ErrorData }

/** On this thread, whatever its length. */
export const encodePrompt = (model: TextModel, prompt: PromptText): number[] =>
  'text' in prompt ? model.encode(prompt.text, { addBos: true }) : model.chat(prompt.messages)

/** `model` is what `openText(path)` gave. */
export function promptsOf(path: string, model: TextModel): Prompts {
  // One at a time: each opens the tokenizer anew, and the cores are there for models.
  const gate = new Gate(1)
  return async (prompt, signal) => {
    const chars = 'text' in prompt ? prompt.text.length : chatLength(prompt.messages)
    if (chars <= SHORT_CHARS || !model.hasTokenizer) return encodePrompt(model, prompt)
    const late = AbortSignal.timeout(TIMEOUT_MS)
    const ends = AbortSignal.any([signal, late])
    try {
      return await gate.run(() => onThread({ path, prompt }, ends), ends)
    } catch (error) {
      if (signal.aborted || !isVolleyError(error, 'cancelled')) throw error
      throw new VolleyError('deadline', `The prompt was not encoded within ${TIMEOUT_MS} ms`, { remedy: 'shorten it, or ask again later' })
    }
  }
}

/** Characters of a chat, without what its template adds. */
export const chatLength = (messages: readonly ChatMessage[]): number =>
  messages.reduce((sum, { content }) => {
    if (typeof content === 'string') return sum + content.length
    return content.reduce((all, part) => all + (part.type === 'text' ? part.text.length : 0), sum)
  }, 0)

async function onThread(order: PromptOrder, signal: AbortSignal): Promise<number[]> {
  const { promise, resolve, reject } = Promise.withResolvers<number[]>()
  const worker = new Worker(new URL('./prompt-thread.ts', import.meta.url), { workerData: order })
  const onAbort = () => reject(new VolleyError('cancelled', 'The prompt was given up: its request was cancelled'))
  worker.once('message', (answer: PromptAnswer) => ('ids' in answer ? resolve(Array.from(answer.ids)) : reject(fromErrorData(answer.error))))
  worker.once('error', reject)
  worker.once('exit', (code) => reject(new VolleyError('internal', `The prompt's thread ended with ${code} and no answer`)))
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', onAbort)
    await worker.terminate()
  }
}
