/**
 * The type of the one config object, and the words its values are made of. The table of settings fills it.
 * @module
 */

/** Phases that an instance can be labelled for, and that an engine can be named for. */
export const PHASES = ['prefill', 'decode', 'encode'] as const
/** Labels: one phase, or two that share an instance. A test holds them against the policies' own. */
export const LABELS = [...PHASES, 'encode+prefill', 'encode+decode', 'prefill+decode'] as const
/** Engines by name; `auto` = the fastest that is there. */
export const ENGINES = ['auto', 'tensorflow', 'webgpu', 'wasm', 'cpu'] as const

export type PhaseName = (typeof PHASES)[number]
/** What an instance can be labelled. */
export type PhaseLabel = (typeof LABELS)[number]
/** What computes. */
export type EngineName = (typeof ENGINES)[number]
/** A process of the system. */
export type Role = 'gateway' | 'scheduler' | 'instance'

/** Everything that can be set, resolved. Units are in the names; undefined = decided later by whoever uses it. */
export interface Config {
  /** Path or name of a model; undefined = the model that ships. */
  model: string | undefined
  /** 0 = any free port. */
  port: number
  host: string
  /** Instances this system (`serve`) or this process (`instance`) has. */
  instances: number
  /** How many of them carry each label; the rest take any phase. */
  labels: Partial<Record<PhaseLabel, number>>
  /** Instances that share a process. */
  perProcess: number
  /** Name, or path of a file of the user's own. */
  policy: string
  /** A policy that decides on the same events and moves nothing; undefined = none. */
  shadow: string | undefined
  /** Least times in milliseconds: that a label lasts, and between two flips to decode; left out = the policy's. */
  flips: Partial<Record<'dwell' | 'cooldown', number>>
  engine: Record<PhaseName, EngineName>
  /** Compute threads of one instance; undefined = the engine's own. */
  threads: number | undefined
  /** Cost profile whose times the engine's steps are held to; undefined = as fast as they go. */
  profilePace: string | undefined
  dtype: 'f32' | 'q8' | 'q4' | undefined
  /** Longest sequence in tokens; undefined = what the model was made for. */
  context: number | undefined
  /** Most sequences decoded at once; undefined = the engine's own. */
  maxBatch: number | undefined
  /** Targets in milliseconds: time to first token, time per output token. */
  slo: Partial<Record<'ttft' | 'tpot', number>>
  transfer: 'auto' | 'memory' | 'unix' | 'tcp' | 'nats'
  /** Address on which other hosts may pull KV over TCP. */
  transferHost: string
  /** Any of these opens the HTTP door; empty = open to all. */
  apiKeys: string[]
  /** Hosts from which image URLs may be fetched. */
  imageHosts: string[]
  /** Longest body of a chat with pictures, in MiB. */
  maxBodyMib: number
  /** Modules with pipelines and actors of the user's own. */
  pipelines: string[]
  /** URL of a nats-server; undefined = `serve` starts one. */
  nats: string | undefined
  /** How long running requests may take to finish when the system is asked to stop. */
  graceMs: number
  /** Name of this process in the fleet; undefined = a random one. */
  name: string | undefined
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'
}
