/**
 * The engine port: what computes phases. It knows token ids, KV blocks and sampling; nothing of requests' charts,
 * of the bus or of text. An engine keeps its compute off the caller's thread: every method returns at once.
 *
 * Words: a *hold* is the KV cache of one prompt, kept under a name until it is released; a *run* is one decode of a
 * hold's choices. Exactness rule: the same (prompt, sampling, seed) gives the same tokens on every engine of equal
 * `numerics`, whatever else is in the batch, however the prompt was chunked, cached, moved or replayed.
 * @module
 */
import type { PaceStats } from './forward.ts'
import type { RgbImage } from './vision/image.ts'

/** How tokens are drawn. All fields are decided at the front door; defaults are filled in there. */
export interface SamplingParams {
  /** Most tokens to generate, per choice (>= 1). */
  maxTokens: number
  /** 0 = greedy. */
  temperature: number
  /** Nucleus mass, 0 < topP <= 1. */
  topP: number
  /** 0 = no limit. */
  topK: number
  /** Least probability relative to the most likely token, 0..1. */
  minP: number
  /** Key of the counter-based generator: random numbers depend on (seed, choice, token index) alone. 32 bit, unsigned. */
  seed: number
  presencePenalty: number
  frequencyPenalty: number
  /** 1 = none. Counts prompt and generated tokens. */
  repetitionPenalty: number
  /** [token id, bias] pairs, added to the logits. */
  logitBias: [number, number][]
  /** Alternatives to report per token; undefined = no logprobs at all. 0 = the chosen token's only. */
  topLogprobs?: number
  /** Token ids that end a choice (the model's own end tokens and the caller's), unless `ignoreEos`. */
  stopTokens: number[]
  ignoreEos: boolean
}

/** One generated token of one choice. `logprob` and `top` only when asked for (natural log, after temperature 1, before truncation). */
export interface TokenOut {
  choice: number
  /** Position among the choice's generated tokens, from 0. */
  index: number
  token: number
  logprob?: number
  top?: [token: number, logprob: number][]
  /** Set on the choice's last token: `stop` = a stop token (which is this token), `length` = maxTokens or context reached. */
  finish?: 'stop' | 'length'
}

/** What an engine is and can hold; published by its instance. */
export interface EngineInfo {
  model: string
  /** e.g. `wasm`, `cpu`, `tensorflow`. */
  backend: string
  /**
   * Names everything that decides bits: model digest, backend, dtype, kernel version, chunk grid. KV blocks of
   * different numerics are never mixed, reused or accepted in a transfer.
   */
  numerics: string
  vocabSize: number
  /** Longest sequence, prompt and output together. */
  contextLength: number
  /** Tokens a KV block holds. */
  blockTokens: number
  /** Bytes of one KV block over all layers (K and V). */
  blockBytes: number
  blocksTotal: number
  /** Most choices decoded at once. */
  maxBatch: number
  /** Set where it sees pictures. */
  vision?: VisionInfo
}

/** What an engine's encoder makes of a tile. */
export interface VisionInfo {
  /** Names everything that decides a tile's bits: model digest, backend, kernel version. */
  numerics: string
  /** Tokens a tile becomes. */
  tileTokens: number
  /** Length of each token's vector. */
  hiddenSize: number
}

/** Live numbers; cheap to read. */
export interface EngineStats {
  blocksFree: number
  /** Blocks that only the prefix cache keeps: free on demand, and counted in `blocksFree`. */
  blocksCached: number
  /** Blocks promised to holds and runs, grown or not. */
  blocksReserved: number
  holds: number
  prefillsWaiting: number
  prefillTokensWaiting: number
  /** Tiles waiting for the encoder or in it. */
  encodeTilesWaiting: number
  decodesRunning: number
  /** Tokens resident in running decodes. */
  decodeTokens: number
  /** Prompt tokens found in the prefix cache, since start. */
  prefixHitTokens: number
  prefillTokensTotal: number
  decodeTokensTotal: number
  /** Mean milliseconds of recent steps with decodes in them; 0 = none yet. */
  stepMs: number
  memoryBytes: number
  /** Only of an engine that is held to another machine's times: steps, and those that came late. */
  pace?: PaceStats
}

/** Places of a prompt that do not look their tokens up: the vectors come from an encoder. */
export interface GivenMark {
  /** Position of the first of them, and how many. */
  start: number
  tokens: number
  /** Names the vectors' bits: picture, tile and encoder. KV blocks over different names are never mixed. */
  name: string
}

/** Their vectors may come later: the prompt is computed up to `start` meanwhile, and other prompts pass. */
export interface GivenVectors extends GivenMark {
  /** [tokens, hiddenSize], not written to any more; a rejection is the prefill's. */
  vectors: Promise<Float32Array>
}

export interface EncodeJob {
  /** The decoded picture. */
  image: RgbImage
  /** Not to be cut (`detail: low`). */
  whole: boolean
  /** Which of its tiles, in the order of ImageLayout. */
  tiles: number[]
}

export interface PrefillJob {
  /** Name of the hold it makes; one of that name that is there already is replaced. */
  hold: string
  /** Prompt, length >= 1. */
  tokens: number[]
  sampling: SamplingParams
  /** Choices to draw a first token for. */
  choices: number
  /** In order of `start`, not overlapping. */
  given?: GivenVectors[]
}

export interface PrefillResult {
  hold: HoldInfo
  /** Token 0 of each choice, in order of choice. */
  first: TokenOut[]
  /** Prompt tokens taken from the prefix cache. */
  cachedTokens: number
  computeMs: number
}

/** The KV of one prompt, in rest. */
export interface HoldInfo {
  hold: string
  tokens: number
  blocks: number
  /** Bytes a transfer moves: whole blocks. */
  bytes: number
  numerics: string
}

/** What a hold's KV was computed from. */
export interface HoldContent {
  tokenIds: number[]
  given?: GivenMark[]
}

export interface DecodeJob {
  /** An existing hold with the prompt's KV. Its blocks are shared by the choices, copied on write. */
  hold: string
  /** The prompt again (penalties; nothing is computed from it). */
  prompt: number[]
  sampling: SamplingParams
  /**
   * One entry a choice: the tokens it has already (at least the first). All but the last are replayed through the
   * decode path to rebuild their KV, then generation goes on with `index = generated.length`.
   */
  choices: { choice: number; generated: number[] }[]
}

/** A decode under way. */
export interface DecodeRun {
  /** Ends one choice early (a stop string, found by whoever knows text). No token of it follows. */
  stop(choice: number): void
  /** Resolves when every choice has finished or was stopped; rejects `cancelled` on abort, `engine_failed` when compute fails. */
  done: Promise<void>
}

export interface Engine {
  readonly info: EngineInfo
  stats(): EngineStats
  /** Whether blocks for so many tokens could be reserved now. */
  hasRoom(tokens: number): boolean
  /**
   * Vectors of some of a picture's tiles, [tiles, tileTokens, hiddenSize]; a tile's bits do not depend on its neighbours.
   * Present where `info.vision` is. Errors: `invalid_request`, `cancelled`, `engine_failed`.
   */
  encode?(job: EncodeJob, signal: AbortSignal): Promise<Float32Array>
  /**
   * Computes a prompt's KV and draws the first tokens. Errors: `kv_exhausted`, `context_length_exceeded`, `cancelled`,
   * `transfer_failed` (given vectors that do not fit), and whatever the vectors' promises reject with.
   */
  prefill(job: PrefillJob, signal: AbortSignal): Promise<PrefillResult>
  /**
   * Goes on generating; `onTokens` gets every step's new tokens, in order of index for each choice. Room for all choices
   * is reserved at once, so that a run which has begun never lacks it. Errors, through `done`: `kv_lost` = no such hold,
   * or one of another prompt; `kv_exhausted`.
   */
  decode(job: DecodeJob, onTokens: (tokens: TokenOut[]) => void, signal: AbortSignal): DecodeRun
  hold(name: string): HoldInfo | undefined
  /**
   * The hold's blocks as one run of bytes (on a SharedArrayBuffer, so that another engine of the same process can
   * import it without a copy between) and a digest (hex) over them. A snapshot: the hold may be released meanwhile.
   */
  exportHold(name: string): Promise<{ bytes: Uint8Array; digest: string }>
  /**
   * Makes a hold out of another engine's exported bytes. Errors: `transfer_failed` (digest or numerics differ),
   * `kv_exhausted`, `cancelled` (released meanwhile).
   */
  importHold(info: HoldInfo & HoldContent, bytes: Uint8Array, digest: string): Promise<HoldInfo>
  /**
   * Frees a hold, and cancels a prefill or an import that would make it; unknown names are fine. Blocks stay in the prefix
   * cache until their room is needed.
   */
  release(hold: string): void
  close(): Promise<void>
}
