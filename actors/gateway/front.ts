/**
 * The gateway's inner port: what the HTTP side asks of whoever admits requests, starts their machines and gathers their
 * tokens. It knows token ids and requests; nothing of HTTP, and of text only that a served model has one.
 * @module
 */
import type { JsonObject } from '../../runtime/json.ts'
import type { SamplingParams, TokenOut } from '../../runtime/engine/engine.ts'
import type { TextModel } from '../../runtime/engine/text.ts'
import type { Prompts } from '../../runtime/engine/text/prompts.ts'
import type { ExpandImages } from '../../runtime/engine/vision/prompt.ts'
import type { ImageSettings } from '../../runtime/engine/vision/settings.ts'

/** How a model takes its pictures. */
export interface PictureSide {
  readonly settings: ImageSettings
  readonly expand: ExpandImages
}

/** A model that can be asked for now. Its name in the API is `text.name`. */
export interface ServedModel {
  readonly text: TextModel
  /** What people ask, as token ids; long texts do not keep this thread. */
  readonly prompts: Prompts
  /** Undefined = it sees no pictures. */
  readonly pictures?: PictureSide
  /** Wall clock, ms. */
  readonly createdMs: number
}

/** A picture of a request, checked at the front door. */
export interface SubmittedPicture {
  /** Names what the encoder sees: SHA-256 over the file, and how it is cut and scaled (hex). */
  key: string
  /** Never cut (`detail: low`). */
  whole: boolean
  /** Position in `prompt` of each tile's first token; the view of the whole last. */
  starts: number[]
  /** PNG, JPEG, WebP or GIF; it has been decoded once, so that damage is found here and not in an encoder. */
  file: Uint8Array
}

/** A request as validated at the front door; defaults are filled in. */
export interface Submission {
  model: string
  /** Undefined = the model's own. */
  pipeline: string | undefined
  /** One subject token. */
  lane: string
  /** Token ids, length >= 1; with `sampling.maxTokens` it fits the model's context. */
  prompt: number[]
  /** In order of their places in `prompt`. */
  pictures: SubmittedPicture[]
  /** Choices to generate, >= 1. */
  n: number
  sampling: SamplingParams
  /** Strings that end a choice when they appear in its text. */
  stop: string[]
  /** The request fails with `deadline` when it has lasted so long. */
  timeoutMs: number
}

/** A request that was admitted and whose reader is this process. */
export interface OpenRequest {
  readonly id: string
  /**
   * New tokens, all that arrived since the last read, each once and in order of index for each choice; a choice's last
   * one has its `finish`, also when its text met a stop string. Ends when the request is done, which is after its
   * record says so. Throws a VolleyError when the request failed or was cancelled. For one reader.
   */
  readonly tokens: AsyncIterable<TokenOut[]>
  /** Ends the request now: `tokens` throws `cancelled` soon after. Harmless when it has ended already, or twice. */
  cancel(): void
}

export interface RequestSummary {
  id: string
  /** `done`, `failed` and `cancelled` are the last ones. */
  state: string
  model: string
  /** Wall clock, ms. */
  createdMs: number
}

export interface RequestDetails extends RequestSummary {
  /** The machine's context. */
  context: JsonObject
  /** States entered, oldest first. */
  history: ({ state: string; atMs: number } & JsonObject)[]
}

/** Live numbers; cheap to read. */
export interface FrontStats {
  /** Undefined = requests can be answered; else why not, in a few words. */
  notReady: string | undefined
  /** Requests in a phase, and requests that wait for one. */
  running: number
  waiting: number
  /** KV blocks in use over all instances, 0..1. */
  kvUsage: number
  instances: number
}

export interface Front {
  models(): ServedModel[]
  stats(): FrontStats
  /**
   * Admits a request. Errors: `overloaded`, `no_instance`, `shutting_down`, `pipeline_not_found`; `cancelled` on abort.
   */
  submit(submission: Submission, signal: AbortSignal): Promise<OpenRequest>
  /** Requests known now, newest first. */
  requests(signal: AbortSignal): Promise<RequestSummary[]>
  request(id: string, signal: AbortSignal): Promise<RequestDetails | undefined>
  /** Cancels a request, whoever reads it; false = there is none of this id. */
  cancel(id: string, signal: AbortSignal): Promise<boolean>
}
