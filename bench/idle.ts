/**
 * An engine, a text side and a mover that do nothing: what is left of a request's time is the framework's.
 * @module
 */
import type { Engine } from '../runtime/engine/engine.ts'
import type { TextModel } from '../runtime/engine/text.ts'
import { VolleyError } from '../runtime/errors.ts'
import type { Mover } from '../runtime/pool/mover.ts'

const never = (): never => {
  throw new VolleyError('engine_unavailable', 'This engine computes nothing')
}

export const idleEngine: Engine = {
  info: {
    model: 'idle', backend: 'none', numerics: 'none', vocabSize: 1, contextLength: 16, blockTokens: 16, blockBytes: 0,
    blocksTotal: 1, maxBatch: 64,
  },
  stats: () => ({
    blocksFree: 1, blocksCached: 0, blocksReserved: 0, holds: 0, prefillsWaiting: 0, prefillTokensWaiting: 0, encodeTilesWaiting: 0,
    decodesRunning: 0, decodeTokens: 0, prefixHitTokens: 0, prefillTokensTotal: 0, decodeTokensTotal: 0, stepMs: 0, memoryBytes: 0,
  }),
  hasRoom: () => true,
  prefill: never,
  decode: never,
  hold: () => undefined,
  exportHold: never,
  importHold: never,
  release: () => undefined,
  close: () => Promise.resolve(),
}

export const idleText: TextModel = {
  name: 'idle', vocabSize: 1, contextLength: 16, endTokens: [], hasTokenizer: false,
  encode: never, tokenBytes: never, decode: never, chat: never,
}

export const idleMover: Mover & { forget(hold: string): void } = { offer: never, pull: never, forget: () => undefined }
