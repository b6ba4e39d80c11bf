/**
 * The pipeline of a language-model request: encode? → prefill → transfer → decode → done. What can happen to a request
 * is all here; the phases' work is in actors/.
 * @module
 */
import type { JsonObject } from '../json.ts'
import { definePipeline, type Pipeline } from './pipeline.ts'
import type { ErrorInfo } from './types.ts'

/** Where a prompt's KV rests and how to get it. */
export interface KvRef extends JsonObject {
  /** Instance that holds it, and which life of it. */
  instance: string
  incarnation: string
  hold: string
  tokens: number
  blocks: number
  bytes: number
  numerics: string
  /** One-time reference for the receiver (runtime/transfer); null when it stays where it is. */
  ticket: JsonObject | null
}

/** A prompt rides in the hop while it is short, else it rests in the inputs bucket under a key. */
export type PromptRef = number[] | { key: string }

export interface LlmInput extends JsonObject {
  prompt: PromptRef
  promptTokens: number
  /** SamplingParams as data (runtime/engine/engine.ts). */
  sampling: JsonObject
  stop: string[]
  n: number
  images: JsonObject[]
}

export interface LlmContext extends LlmInput {
  kv: KvRef | null
  /** Token 0 of each choice (TokenOut as data), drawn by prefill. */
  first: JsonObject[]
  /** How often the prompt had to be prefilled again because its KV was lost. */
  refills: number
  /** Tokens generated, per choice, once decoded. */
  generated: number[]
  error: ErrorInfo & JsonObject | null
}

/** After so many losses of KV the request fails instead of going round for ever. */
const MAX_REFILLS = 8

export const llm: Pipeline = definePipeline<LlmInput, LlmContext>({
  name: 'llm',
  version: 1,
  context: (input) => ({ ...input, kv: null, first: [], refills: 0, generated: [], error: null }),
  holds: ['kv'],
  guards: {
    hasImages: (context) => context.images.length > 0,
    decodesHere: (_, event) => event['decodeHere'] === true,
    mayRefill: (context) => context.refills < MAX_REFILLS,
  },
  updates: {
    keepKv: (_, event) => ({ kv: event['kv'] as KvRef }),
    keepPrefill: (_, event) => ({ kv: event['kv'] as KvRef, first: event['first'] as JsonObject[] }),
    loseKv: (context) => ({ kv: null, refills: context.refills + 1 }),
    giveUp: () => ({ error: { code: 'kv_lost', message: `The prompt's KV was lost ${MAX_REFILLS} times` } }),
    count: (_, event) => ({ generated: event['generated'] as number[] }),
  },
  initial: 'admitted',
  states: {
    admitted: { always: [{ guard: 'hasImages', target: 'encode' }, { target: 'prefill' }] },
    encode: { phase: 'encode', on: { ENCODED: 'prefill' } },
    prefill: {
      phase: 'prefill',
      on: {
        PREFILLED: [
          { guard: 'decodesHere', target: 'decode', update: 'keepPrefill' },
          { target: 'transfer', update: 'keepPrefill' },
        ],
        // The first token was the last of every choice.
        FINISHED: { target: 'done', update: 'count' },
      },
    },
    transfer: {
      phase: 'transfer',
      on: {
        TRANSFERRED: { target: 'decode', release: 'kv', update: 'keepKv' },
        // Decode was placed where the KV already is: nothing moves.
        LOCAL: 'decode',
        KV_LOST: [
          { guard: 'mayRefill', target: 'prefill', update: 'loseKv' },
          { target: 'failed', update: 'giveUp' },
        ],
      },
    },
    decode: {
      phase: 'decode',
      on: {
        DECODED: { target: 'done', update: 'count' },
        KV_LOST: [
          { guard: 'mayRefill', target: 'prefill', update: 'loseKv' },
          { target: 'failed', update: 'giveUp' },
        ],
      },
    },
  },
})
