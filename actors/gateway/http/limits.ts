/**
 * What one HTTP request may cost before it is refused. All of it is checked at the front door, so that nothing behind
 * it needs to.
 * @module
 */

export interface HttpLimits {
  /** Longest body. @default {4194304} */
  bodyBytes: number
  /** Longest body of a chat, where a model sees pictures. @default {33554432} */
  pictureBodyBytes: number
  /** Bytes of bodies and pictures that all requests hold together; more are refused with 429. @default {268435456} */
  heldBytes: number
  /** Longest wait for a body to arrive in full. @default {30000} */
  bodyTimeoutMs: number
  /** Longest text of a prompt, before it is tokenised. @default {1000000} */
  promptChars: number
  /** Most chat messages, and most pictures in them. @default {2048} @default {32} */
  messages: number
  pictures: number
  /** Most choices (`n`). @default {16} */
  choices: number
  /** Most stop strings, and most characters in one. @default {16} @default {256} */
  stopStrings: number
  stopChars: number
  /** Most entries of `logit_bias`: they ride in every hop. @default {300} */
  logitBias: number
  /**
   * Tokens of a chat answer, and of a completion (OpenAI's own number), when the caller names none: room for them is kept
   * from the start.
   * @default {1024}
   * @default {16}
   */
  chatTokens: number
  completionTokens: number
  /** A request that lasts longer fails with `deadline`. @default {600000} */
  requestTimeoutMs: number
  /** A silent stream gets a comment so often, so that proxies keep it open. @default {15000} */
  heartbeatMs: number
}

export const defaultLimits: HttpLimits = {
  bodyBytes: 4 * 1024 * 1024,
  pictureBodyBytes: 32 * 1024 * 1024,
  heldBytes: 256 * 1024 * 1024,
  bodyTimeoutMs: 30_000,
  promptChars: 1_000_000,
  messages: 2048,
  pictures: 32,
  choices: 16,
  stopStrings: 16,
  stopChars: 256,
  logitBias: 300,
  chatTokens: 1024,
  completionTokens: 16,
  requestTimeoutMs: 600_000,
  heartbeatMs: 15_000,
}
