/**
 * What the two generating routes have in common on the way out, and the port that tells them apart.
 * @module
 */
import type { TextModel } from '../../../runtime/engine/text.ts'
import type { Delta } from './generation.ts'

/** What a shape knows of a generation. */
export interface Reply {
  id: string
  /** Seconds since 1970. */
  created: number
  model: TextModel
  prompt: readonly number[]
  n: number
  logprobs: boolean
  returnTokenIds: boolean
}

/** How a route puts a generation into OpenAI's words. One is made per answer: it may count. */
export interface Shape {
  /** `object` of a chunk and of a whole answer. */
  readonly chunkObject: string
  readonly wholeObject: string
  /** Prefix of the answer's id. */
  readonly idPrefix: string
  /** Whether the text goes on where the prompt ends. */
  readonly continuesPrompt: boolean
  /** First chunks of a stream. */
  opening(): object[]
  /** Chunks of what a step added to one choice; none while there is nothing to show. */
  chunks(delta: Delta): object[]
  /** The whole answer's own fields, of each choice's merged delta in order of choice. */
  whole(choices: readonly Delta[]): object
}

/** `token_ids` when asked for. */
export const tokenIds = (reply: Reply, delta: Delta): { token_ids?: number[] } =>
  reply.returnTokenIds ? { token_ids: delta.tokens.map(({ token }) => token) } : {}

/** Whether a step's piece must be sent: text, or the tokens themselves. */
export const hasNews = (reply: Reply, delta: Delta): boolean =>
  delta.text !== '' || reply.logprobs || reply.returnTokenIds
