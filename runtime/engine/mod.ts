/**
 * The engine's door: the port, and an engine on a thread of its own.
 * @module
 */
export type {
  DecodeJob,
  DecodeRun,
  Engine,
  EngineInfo,
  EngineStats,
  HoldInfo,
  PrefillJob,
  PrefillResult,
  SamplingParams,
  TokenOut,
} from './engine.ts'
export type { ChatMessage, TextModel } from './text.ts'
export { startEngine, type StartOptions } from './worker/start.ts'
