/**
 * The states of a generation, to be used as they are (llm.ts) or inside a pipeline of a user's own: encode? → prefill →
 * transfer → decode. What can happen to a request's KV is all here; the phases' work is in actors/.
 * @module
 */
import type { JsonObject } from '../json.ts'
import type { StateConfig } from './pipeline.ts'
import type { ErrorInfo, PhaseEvent } from './types.ts'

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
  /** What encoded the pictures in it; null = there are none. */
  encoder: EncoderRef | null
  /** One-time reference for the receiver (runtime/transfer); null when it stays where it is. */
  ticket: JsonObject | null
}

/** With a picture's key and a tile's number, what decides a tile's vectors, and how many places of the prompt they take. */
export interface EncoderRef extends JsonObject {
  /** `EngineInfo.vision.numerics`. */
  numerics: string
  tileTokens: number
}

/** A picture of the prompt: where its file can be had, and which places of the prompt its tiles take. */
export interface PictureRef extends JsonObject {
  /** Names what the encoder sees: the file, and how it is cut and scaled (hex). */
  key: string
  /** Never cut, whatever the model's settings say (`detail: low`). */
  whole: boolean
  /** Position in the prompt of each tile's first token; the view of the whole comes last. */
  starts: number[]
  /** Size of the file. */
  bytes: number
  /** For the file, which rests at the request's gateway; may be redeemed by several at once. */
  ticket: JsonObject
}

/** Vectors of consecutive tiles, and where they are being made. A request's tiles count on from picture to picture. */
export interface EmbedsRef extends JsonObject {
  instance: string
  incarnation: string
  hold: string
  /** First tile, and how many. */
  from: number
  tiles: number
  bytes: number
  encoder: EncoderRef
  /** Its bytes may still be in the making: a pull waits for them. */
  ticket: JsonObject
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
  /** In order of their places in the prompt. */
  images: PictureRef[]
}

export interface LlmContext extends LlmInput {
  kv: KvRef | null
  /** In order of tile; empty before encode, and again once they are in the KV. */
  embeds: EmbedsRef[]
  /** Token 0 of each choice (TokenOut as data), drawn by prefill. */
  first: JsonObject[]
  /** When it was drawn, wall clock, ms. */
  firstAtMs: number
  /** Where the policy wanted the decode when the request arrived; null = it decides at the first token. */
  decodeAt: string | null
  /** How often the request had to go back because its KV or its pictures' vectors were lost. */
  refills: number
  /** Tokens generated, per choice, once decoded. */
  generated: number[]
  /** Token ids of every choice, when the answer is held back instead of shown while it is made. */
  output: number[][]
  error: ErrorInfo & JsonObject | null
}

/** After so many losses of KV the request fails instead of going round for ever. */
const MAX_REFILLS = 32

export interface GenerateOptions {
  /** State that follows a finished generation. */
  then: string
  /**
   * `false` holds the answer back: its token ids go into `context.output`, and a later state with phase `show` sends them.
   * Held answers carry no logprobs.
   *
   * @default {true}
   */
  show?: boolean
}

type Guard = (context: LlmContext, event: PhaseEvent) => boolean
type Update = (context: LlmContext, event: PhaseEvent) => Partial<LlmContext>

/** Parts of a pipeline; spread them into `definePipeline`. The first state is `admitted`, the one to go back to `prefill`. */
export interface GenerateParts {
  context: (input: LlmInput) => LlmContext
  guards: Record<string, Guard>
  updates: Record<string, Update>
  holds: ('kv' | 'embeds')[]
  states: Record<string, StateConfig>
}

export function generate({ then, show = true }: GenerateOptions): GenerateParts {
  const lost: StateConfig['on'] = {
    KV_LOST: [
      { guard: 'mayEncodeAgain', target: 'encode', release: 'kv', update: 'loseKv' },
      { guard: 'mayRefill', target: 'prefill', release: 'kv', update: 'loseKv' },
      { target: 'failed', update: 'giveUp' },
    ],
  }
  return {
    context: (input) => ({ ...input, kv: null, embeds: [], first: [], firstAtMs: 0, decodeAt: null, refills: 0, generated: [], output: [], error: null }),
    holds: ['kv', 'embeds'],
    guards: {
      hasImages: (context) => context.images.length > 0,
      decodesHere: (_, event) => event['decodeHere'] === true,
      mayRefill: (context) => context.refills < MAX_REFILLS,
      mayEncodeAgain: (context) => context.images.length > 0 && context.refills < MAX_REFILLS,
    },
    updates: {
      keepEmbeds: (_, event) => ({ embeds: event['embeds'] as EmbedsRef[] }),
      loseEmbeds: (context) => ({ embeds: [], refills: context.refills + 1 }),
      giveUpEmbeds: (_, event) => {
        const reason = event.report?.['reason']
        const why = typeof reason === 'string' ? `: ${reason}` : ''
        return { error: { code: 'kv_lost', message: `The pictures' vectors were lost ${MAX_REFILLS} times${why}` } }
      },
      keepKv: (_, event) => ({ kv: event['kv'] as KvRef }),
      keepPrefill: (_, event) => ({
        kv: event['kv'] as KvRef,
        embeds: [],
        first: event['first'] as JsonObject[],
        firstAtMs: event['firstAtMs'] as number,
        decodeAt: event['decodeAt'] as string | null,
      }),
      loseKv: (context) => ({ kv: null, refills: context.refills + 1 }),
      giveUp: () => ({ error: { code: 'kv_lost', message: `The prompt's KV was lost ${MAX_REFILLS} times` } }),
      keepOutput: (_, event) => ({ generated: event['generated'] as number[], output: (event['output'] ?? []) as number[][] }),
    },
    states: {
      admitted: { always: [{ guard: 'hasImages', target: 'encode' }, { target: 'prefill' }] },
      encode: { phase: 'encode', on: { ENCODED: { target: 'prefill', update: 'keepEmbeds' } } },
      prefill: {
        phase: 'prefill',
        with: { show },
        on: {
          PREFILLED: [
            { guard: 'decodesHere', target: 'decode', release: 'embeds', update: 'keepPrefill' },
            { target: 'transfer', release: 'embeds', update: 'keepPrefill' },
          ],
          // The first token was the last of every choice.
          FINISHED: { target: then, release: 'embeds', update: 'keepOutput' },
          EMBEDS_LOST: [
            { guard: 'mayEncodeAgain', target: 'encode', release: 'embeds', update: 'loseEmbeds' },
            { target: 'failed', update: 'giveUpEmbeds' },
          ],
        },
      },
      transfer: {
        phase: 'transfer',
        on: {
          TRANSFERRED: { target: 'decode', release: 'kv', update: 'keepKv' },
          // Decode was placed where the KV already is: nothing moves.
          LOCAL: 'decode',
          ...lost,
        },
      },
      decode: { phase: 'decode', with: { show }, on: { DECODED: { target: then, update: 'keepOutput' }, ...lost } },
    },
  }
}
