/**
 * What the engine's thread and its client say to each other. Everything is structured-cloned; exported bytes,
 * pictures and their vectors lie on shared memory and are not copied. Every call has an id, and its answer carries the same one.
 * @module
 */
import { ERROR_KINDS, type ErrorCode, toVolleyError, VolleyError } from '../../errors.ts'
import type { JsonObject } from '../../json.ts'
import type { DecodeJob, EncodeJob, EngineInfo, EngineStats, GivenMark } from '../engine.ts'
import type { HoldContent, HoldInfo, PrefillJob, TokenOut } from '../engine.ts'
import type { Forward } from '../forward.ts'
import type { EngineSizes } from '../loop/size.ts'
import type { Vision } from '../vision/encoder.ts'

/** A model on a backend, ready to compute. */
export interface LoadedModel {
  forward: Forward
  /** Name in the API. */
  model: string
  /** Hex digest that names the weights. */
  modelDigest: string
  /** Where the model sees pictures. */
  vision?: Vision
}

/** Default export of a factory module; called on the engine's thread with what `startEngine` was given as `load`. */
export type ModelFactory = (load: JsonObject) => Promise<LoadedModel>

/** What the thread is started with. */
export interface ThreadData {
  /** Module address of the factory. */
  factory: string
  load: JsonObject
  sizes: EngineSizes
}

/** A prefill's job as a message: promises do not survive the way between threads. */
export type PrefillOrder = Omit<PrefillJob, 'given'> & { given?: GivenMark[] }

/** Client to thread. `place` counts a prefill's given marks. */
export type Call =
  | { kind: 'encode'; id: number; job: EncodeJob }
  | { kind: 'prefill'; id: number; job: PrefillOrder }
  | { kind: 'give'; id: number; call: number; place: number; vectors: Float32Array }
  | { kind: 'withhold'; id: number; call: number; place: number; error: ErrorData }
  | { kind: 'decode'; id: number; job: DecodeJob }
  | { kind: 'export'; id: number; hold: string }
  | { kind: 'import'; id: number; info: HoldInfo & HoldContent; bytes: Uint8Array; digest: string }
  | { kind: 'release'; id: number; hold: string }
  | { kind: 'abort'; id: number; call: number }
  | { kind: 'stop'; id: number; call: number; choice: number }
  | { kind: 'close'; id: number }

/** What happened to a call. */
export type Report =
  | { kind: 'tokens'; call: number; tokens: TokenOut[] }
  | { kind: 'answer'; call: number; value: unknown }
  | { kind: 'error'; call: number; error: ErrorData }

/** Thread to client. */
export type Message =
  | { kind: 'ready'; info: EngineInfo; stats: EngineStats }
  | { kind: 'unable'; error: ErrorData }
  /** `seen`: id of the last call that `stats` takes into account. */
  | { kind: 'news'; reports: Report[]; stats: EngineStats; seen: number }

/** A VolleyError's fields: classes do not survive the way between threads. */
export interface ErrorData {
  code: ErrorCode
  message: string
  remedy?: string
  param?: string
}

/** Fields of anything thrown; what is not ours counts as `code`. */
export function toErrorData(thrown: unknown, code: ErrorCode): ErrorData {
  const { code: own, message, remedy, param } = toVolleyError(thrown, code)
  return { code: own, message, ...(remedy !== undefined && { remedy }), ...(param !== undefined && { param }) }
}

export function fromErrorData({ code, message, ...details }: ErrorData): VolleyError {
  return new VolleyError(code in ERROR_KINDS ? code : 'engine_failed', message, details)
}
