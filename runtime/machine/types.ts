/**
 * The vocabulary of the machine: what is stored between hops, what can happen, what a step asks its host to do.
 * Plain data only; knows neither bus nor engine.
 * @module
 */
import type { Json, JsonObject } from '../json.ts'

/** A request at rest: everything a later step needs. Small and JSON: KV, embeddings and long prompts are references. */
export interface Stored {
  /** `name@version` of the pipeline that started it; a request ends on the version it began with. */
  pipeline: string
  value: Json
  context: JsonObject
  status: 'active' | 'done'
}

/** Something that happened: the outcome of a phase, or CANCEL, FAIL, DEADLINE from the host. */
export interface PhaseEvent {
  type: string
  /** For people and `volley trace`: what the phase measured. Not looked at by charts. */
  report?: JsonObject
  [field: string]: Json | undefined
}

/** A step's wish; the host's interpreter carries it out (runtime/pool/perform.ts). */
export type Effect =
  /** The next hop: run this phase. */
  | { kind: 'dispatch'; phase: string; with: JsonObject }
  /** Send this event after a while, unless the state is left before. */
  | { kind: 'timer'; name: string; afterMs: number; event: PhaseEvent }
  | { kind: 'cancelTimer'; name: string }
  /** A state was entered: goes to the events stream. */
  | { kind: 'emit'; state: string; report: JsonObject }
  /** Bytes held for this request are not needed any more: a reference, or a list of them. */
  | { kind: 'release'; ref: Json }
  /** The request has ended; its reader is told. */
  | { kind: 'end'; state: FinalState }

export type FinalState = 'done' | 'failed' | 'cancelled'
export const FINAL_STATES: readonly FinalState[] = ['done', 'failed', 'cancelled']

export interface Step {
  next: Stored
  /** Name of the state reached: one subject token. */
  state: string
  effects: Effect[]
  /** The state has no answer to this event; nothing changed. */
  ignored: boolean
}

/** `context.error` of a request that failed or was cancelled. */
export interface ErrorInfo {
  code: string
  message: string
}
