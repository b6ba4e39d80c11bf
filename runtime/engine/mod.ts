/**
 * Engines for programs: start one on its own thread, open a model's text side.
 * @module
 */
export type * from './engine.ts'
export type { ChatMessage, TextModel } from './text.ts'
export { openText, type OpenTextOptions } from './text/mod.ts'
export type { EngineThread } from './worker/client.ts'
export { startEngine, type StartOptions } from './worker/start.ts'
