/**
 * One iteration of a simulated engine: all running decodes, then tiles of images and prefill chunks in order of arrival
 * up to a token budget; and what has changed when it ends. Knows neither where requests come from nor where they go.
 * @module
 */
import { encodeMs, iterationMs } from '../policy/profile.ts'
import type { EncodeJob, SimInstance, SimRequest } from './instance.ts'
import { kernelMs } from './kernels.ts'

/** Most decodes in one iteration. */
const MAX_BATCH = 256
/** Prefill tokens of an iteration without decodes. */
const ALONE_TOKENS = 8_192
/** What a tile takes of the budget: as many tokens as the language model is given for it. */
const TILE_TOKENS = 256

/** Prefill tokens that fit beside so many decodes. */
function budgetOf({ batching, prefillsTurn }: SimInstance, decodes: number): number {
  if (batching === 'prefill-first') return ALONE_TOKENS
  if ('batchTokens' in batching) return Math.max(0, batching.batchTokens - decodes)
  if ('alternatingTokens' in batching) return prefillsTurn || decodes === 0 ? batching.alternatingTokens : 0
  return decodes > 0 ? batching.chunkTokens : ALONE_TOKENS
}

/** Each decode needs room for one token more: the last to come give way until there is. How many have. */
function makeRoom(instance: SimInstance): number {
  const { running, entering, truth } = instance
  let evicted = 0
  while (running.size > 1 && instance.kvUsed + running.size + entering.size > truth.kvTokens) {
    instance.evict()
    evicted++
  }
  instance.evicted += evicted
  return evicted
}

/** Composes the next iteration. Its length in ms, or undefined when there is nothing that could run. */
export function startIteration(instance: SimInstance): number | undefined {
  const { queue, entering, running, chunks, fresh, batching, truth, growing } = instance
  const evicted = growing ? makeRoom(instance) : 0
  const alternating = batching !== 'prefill-first' && 'alternatingTokens' in batching
  const decodesWait = running.size + entering.size > 0
  const mayDecode = Math.min(MAX_BATCH, running.size + entering.size)
  if (growing) instance.kvUsed += mayDecode
  // Who has just given way does not come back in the same breath.
  let budget = evicted > 0 ? 0 : budgetOf(instance, mayDecode)
  const tiles = takeTiles(instance, Math.ceil(budget / TILE_TOKENS / (queue.size > 0 ? 2 : 1)))
  budget -= tiles * TILE_TOKENS
  let pairs = 0
  let context = 0
  let longest = 0
  let tokens = 0
  for (let at = 0; budget > 0; at++) {
    const request = queue.at(at)
    if (request === undefined) break
    // A prompt without room blocks those behind it: first come, first served.
    if (request.holder !== instance) {
      if (request.here && instance.seated >= instance.maxSequences) break
      const whole = request.here && !growing ? request.input + request.output : request.input + request.redo
      if (!instance.reserve(request, whole)) break
      if (request.here) instance.seated++
    }
    const chunk = Math.min(budget, request.input + request.redo - request.done)
    context += request.done + chunk
    longest = Math.max(longest, chunk)
    pairs += chunk * (2 * request.done + chunk)
    tokens += chunk
    budget -= chunk
    chunks.push({ request, tokens: chunk })
    if (alternating) break
  }
  instance.prefillsTurn = !instance.prefillsTurn
  const decodes = decodesWait && !((alternating || batching === 'prefill-first') && chunks.length + tiles > 0)
  if (decodes) {
    for (let next = entering.peek(); next && running.size < MAX_BATCH; next = entering.peek()) {
      entering.shift()
      next.at = instance.decodeSteps + next.output - next.redo - 1
      running.push(next)
      instance.runningTokens += next.input + next.redo + 1
      fresh.push(next)
    }
  }
  instance.batch = decodes ? running.size : 0
  if (growing) instance.kvUsed -= mayDecode - instance.batch
  if (instance.batch === 0 && chunks.length + tiles === 0) return undefined
  instance.iterating = true
  const visionMs = encodeMs(truth, tiles)
  // An iteration of tiles alone does not run the language model.
  if (instance.batch === 0 && chunks.length === 0) return visionMs * instance.slowness
  const resident = decodes ? instance.runningTokens : 0
  const sequences = instance.batch
  const modelMs = truth.kernels
    ? kernelMs(truth.kernels, { tokens, pairs, context, longest, resident, sequences })
    : iterationMs(truth, tokens, pairs, resident, sequences)
  return (modelMs + visionMs) * instance.slowness
}

/** Takes up to so many tiles into the iteration, in order of arrival. How many it has got. */
function takeTiles({ jobs, encoding }: SimInstance, most: number): number {
  let taken = 0
  for (let at = 0; taken < most; at++) {
    const job = jobs.at(at)
    if (job === undefined) break
    const tiles = Math.min(job.left, most - taken)
    job.left -= tiles
    taken += tiles
    encoding.push({ job, tiles })
  }
  return taken
}

/** What an iteration has brought about. */
export interface IterationEnd {
  /** Images that are encoded. */
  encoded: EncodeJob[]
  /** Prompts whose first token exists now, in order. */
  prefilled: SimRequest[]
  /** Requests whose last token exists now. */
  decoded: SimRequest[]
}

/** Ends the running iteration at `nowMs`. */
export function endIteration(instance: SimInstance, nowMs: number): IterationEnd {
  const { chunks, encoding, jobs, fresh, running, batch } = instance
  const end: IterationEnd = { encoded: [], prefilled: [], decoded: [] }
  instance.iterating = false
  for (const { job, tiles } of encoding) {
    instance.encodeTiles -= tiles
    if (job.left > 0) continue
    jobs.shift()
    end.encoded.push(job)
  }
  encoding.length = 0
  for (const { request, tokens } of chunks) {
    instance.prefilled(request, tokens)
    if (request.done === request.input + request.redo) end.prefilled.push(request)
  }
  chunks.length = 0
  if (batch === 0) return end
  instance.decodeSteps++
  instance.gapCount += batch - fresh.length
  instance.gapSumMs += (batch - fresh.length) * (nowMs - instance.lastTokensMs)
  for (const request of fresh) {
    instance.firstGapSumMs += nowMs - request.firstMs
    request.secondMs = nowMs
  }
  instance.firstGapCount += fresh.length
  fresh.length = 0
  instance.lastTokensMs = nowMs
  instance.runningTokens += batch
  instance.decodeTokens += batch
  for (let next = running.peek(); next && next.at <= instance.decodeSteps; next = running.peek()) {
    running.pop()
    instance.runningTokens -= next.input + next.output
    end.decoded.push(next)
  }
  return end
}
