/**
 * One simulated instance and the requests on it: its queues, its KV memory, its label, and what of them a policy sees.
 * Iterations are made in iteration.ts, admission and transfers in admission.ts.
 * @module
 */
import type { InstanceView, Label, TokenGaps } from '../policy/policy.ts'
import { type CostProfile, encodeMs, prefillMs } from '../policy/profile.ts'
import type { KernelLaw } from './kernels.ts'
import { Fifo } from './fifo.ts'
import type { ChartNode } from './chart.ts'
import { Heap, type Keyed } from './heap.ts'

/** A simulated request: where its state-chart stands, how far its tokens are, and what of it is held where. */
export interface SimRequest extends Keyed {
  readonly id: number
  readonly arrivedMs: number
  /** Prompt tokens, and tokens that will be generated: nobody but the engine looks at the latter. */
  readonly input: number
  readonly output: number
  node: ChartNode
  /** Tokens that were generated before its KV was given up: they are prefilled again, with the prompt. */
  redo: number
  /** Tokens prefilled so far, of `input + redo`. */
  done: number
  /** Tiles of each of its images, and how many images are yet to be encoded. */
  readonly images: readonly number[]
  imagesLeft: number
  /** Who has encoded which tiles: their features are fetched from there. */
  readonly encoded: { instance: SimInstance; tiles: number; life: number }[]
  /** NaN until it exists. */
  firstMs: number
  /** When its second token came; NaN until then. */
  secondMs: number
  /** Who holds its KV, and how many tokens are reserved for it there. */
  holder: SimInstance | undefined
  /** The life of the holder in which it was put there. */
  heldIn: number
  reserved: number
  /** Who prefills it. */
  prefiller: SimInstance | undefined
  /** Who decodes it. */
  target: SimInstance | undefined
  /** Prefill and decode on one instance, reserved as one. */
  here: boolean
  decodeAt: string | undefined
  /** Number of the decode iteration that makes its last token (`Keyed.at`). */
  at: number
  /** Bytes moved for it, all transfers together. */
  movedBytes: number
}

/** A request that has just arrived, at the beginning of its chart. */
export function newRequest(
  id: number,
  { atMs, input, output, images }: { atMs: number; input: number; output: number; images: readonly number[] },
  node: ChartNode,
): SimRequest {
  return {
    id,
    rank: id,
    at: 0,
    arrivedMs: atMs,
    input,
    output,
    node,
    redo: 0,
    done: 0,
    images,
    imagesLeft: images.length,
    encoded: [],
    firstMs: NaN,
    secondMs: NaN,
    prefiller: undefined,
    holder: undefined,
    heldIn: 0,
    reserved: 0,
    target: undefined,
    here: false,
    decodeAt: undefined,
    movedBytes: 0,
  }
}

/** Images of one request that one instance encodes. */
export interface EncodeJob {
  readonly request: SimRequest
  readonly images: number
  readonly tiles: number
  /** Tiles that no iteration has taken yet. */
  left: number
}

/**
 * How prefills and decodes share an iteration: prefill chunks of so many tokens beside decodes; chunks that fill it up to
 * so many tokens, decodes included (`max_num_batched_tokens` of vLLM); a chunk of one prompt and the decodes in turns, as
 * our engines do where a row's bits would depend on its neighbours; or prefills alone first.
 */
export type Batching =
  | { readonly chunkTokens: number }
  | { readonly batchTokens: number }
  | { readonly alternatingTokens: number }
  | 'prefill-first'

export interface InstanceOptions {
  id: string
  index: number
  label: Label | undefined
  /** What its work costs. */
  profile: SimProfile
  /** What policies are told it costs. */
  believed: CostProfile
  batching: Batching
  /** Most requests in work at once that are decoded where they are prefilled. */
  maxSequences: number
  /** Where a request is decoded where it was prefilled: its KV grows token by token, instead of being reserved. */
  growing: boolean
  /** The virtual clock. */
  clock: { readonly nowMs: number }
}

/** Costs as policies predict them, and where a GPU's kernels were measured, as they are. */
export interface SimProfile extends CostProfile {
  readonly kernels?: KernelLaw
}

/** Model name of everything simulated. */
export const MODEL = 'simulated'
const PHASES: readonly string[] = ['encode', 'prefill', 'transfer', 'decode']
/** Simulated queues have no end: what waits shows in the predicted wait. */
const SLOTS = { prefill: Infinity, decode: Infinity, other: Infinity }
const NO_GAPS: TokenGaps = { count: 0, sumMs: 0, firstCount: 0, firstSumMs: 0, openMs: 0 }

export class SimInstance implements InstanceView {
  readonly id: string
  readonly index: number
  label: Label | undefined
  labelSinceMs = 0
  readonly model = MODEL
  readonly phases = PHASES
  readonly host = 'simulated'
  readonly freeSlots = SLOTS
  readonly draining = false
  /** What policies are told. */
  readonly profile: CostProfile
  readonly truth: SimProfile
  readonly batching: Batching
  readonly maxSequences: number
  readonly growing: boolean

  /** Prefills in order of arrival; the first may be partly done. */
  readonly queue = new Fifo<SimRequest>()
  prefillTokens = 0
  /** Images to encode, in order of arrival, and all of their tiles that are not encoded yet. */
  readonly jobs = new Fifo<EncodeJob>()
  encodeTiles = 0
  /** Decode batch by the number of the iteration that ends each, at most `MAX_BATCH`. */
  readonly running = new Heap<SimRequest>()
  runningTokens = 0
  /** Ready to decode: they join the batch at the next iteration. */
  readonly entering = new Fifo<SimRequest>()
  /** Prefilled here, to be decoded here, without room for their output yet. */
  readonly staying = new Fifo<SimRequest>()
  /** To be pulled from elsewhere. */
  readonly inbox = new Fifo<SimRequest>()
  /** The one being pulled now. */
  incoming: SimRequest | undefined
  /** Pulls begun. */
  pulls = 0
  decodes = 0
  decodeTokens = 0
  kvUsed = 0
  /** Requests in work that stay from prefill to their end. */
  seated = 0

  /** Where prefill and decode alternate: whose turn it is. */
  prefillsTurn = true
  /** The iteration that runs: chunks of prefill, and which decodes take part for the first time. */
  iterating = false
  readonly chunks: { request: SimRequest; tokens: number }[] = []
  readonly encoding: { job: EncodeJob; tiles: number }[] = []
  batch = 0
  readonly fresh: SimRequest[] = []
  /** Times a decode gave up its KV because others had grown. */
  evicted = 0
  /** Decode iterations made. */
  decodeSteps = 0
  /** When the decode batch got its last tokens. */
  lastTokensMs = 0
  /** Restarting until then: starts nothing. */
  downUntilMs = 0
  /** Dead: it takes nothing, and nothing that was going on here goes on. */
  dead = false
  /** Lives begun: what was under way in an earlier one is void. */
  life = 0
  /** What its iterations take, over what its profile says. */
  slowness = 1

  gaps = NO_GAPS
  prefillWaitMeanMs = 0
  gapCount = 0
  gapSumMs = 0
  firstGapCount = 0
  firstGapSumMs = 0
  private queuedMs = 0
  private queuedIntegral = 0
  private queuedSinceMs = 0
  private tickedMs = 0
  private readonly clock: { readonly nowMs: number }

  constructor({ id, index, label, profile, believed, batching, maxSequences, growing, clock }: InstanceOptions) {
    this.id = id
    this.index = index
    this.label = label
    this.truth = profile
    this.profile = believed
    this.batching = batching
    this.maxSequences = maxSequences
    this.growing = growing
    this.clock = clock
  }

  get prefills(): number {
    return this.queue.size
  }

  get prefillWaitMs(): number {
    return this.queuedMs + Math.max(0, this.downUntilMs - this.clock.nowMs)
  }

  get encodes(): number {
    return this.jobs.size
  }

  get encodeWaitMs(): number {
    return encodeMs(this.profile, this.encodeTiles)
  }

  /** Restarting now. */
  get down(): boolean {
    return this.clock.nowMs < this.downUntilMs
  }

  get contextLength(): number {
    return this.truth.kvTokens
  }

  get kvTokensTotal(): number {
    return this.truth.kvTokens
  }

  get kvTokensFree(): number {
    return this.truth.kvTokens - this.kvUsed
  }

  /** Takes room for a request, or says that there is none. */
  reserve(request: SimRequest, tokens: number): boolean {
    if (this.kvUsed + tokens > this.truth.kvTokens) return false
    this.kvUsed += tokens
    request.reserved = request.holder === this ? request.reserved + tokens : tokens
    request.holder = this
    request.heldIn = this.life
    return true
  }

  enqueue(request: SimRequest): void {
    this.queue.push(request)
    this.prefillTokens += request.input
    this.noteWait(prefillMs(this.profile, request.input))
  }

  /** The last decode to come gives up its KV and goes to the head of the prefills; undefined = there is none. */
  evict(): SimRequest | undefined {
    const request = this.running.popWorst((a, b) => a.id > b.id)
    if (request === undefined) return undefined
    const generated = request.output - (request.at - this.decodeSteps)
    this.runningTokens -= request.input + generated
    this.decodeTokens -= request.input + generated
    this.decodes--
    this.kvUsed -= request.reserved + generated - request.redo - 1
    this.seated--
    request.holder = undefined
    request.reserved = 0
    request.redo = generated
    request.done = 0
    this.queue.unshift(request)
    this.prefillTokens += request.input + generated
    this.noteWait(prefillMs(this.profile, request.input + generated))
    return request
  }

  /** A chunk's iteration has ended. */
  prefilled(request: SimRequest, tokens: number): void {
    const left = request.input + request.redo - request.done
    const before = prefillMs(this.profile, left, request.done)
    request.done += tokens
    this.prefillTokens -= tokens
    const after = left === tokens ? 0 : prefillMs(this.profile, left - tokens, request.done)
    this.noteWait(after - before)
    if (left === tokens) this.queue.shift()
    // What rounding has left must not outlive the queue.
    if (this.queue.size === 0) this.queuedMs = 0
  }

  enqueueImages(job: EncodeJob): void {
    this.jobs.push(job)
    this.encodeTiles += job.tiles
  }

  /** Ends its life: queues, memory, batch and iteration are gone. */
  clear(): void {
    this.life++
    for (const fifo of [this.queue, this.jobs, this.entering, this.staying, this.inbox]) fifo.clear()
    this.running.drain()
    for (const list of [this.chunks, this.encoding, this.fresh]) list.length = 0
    this.noteWait(-this.queuedMs)
    this.incoming = undefined
    this.iterating = false
    this.prefillTokens = this.encodeTiles = this.runningTokens = this.batch = 0
    this.decodes = this.decodeTokens = this.kvUsed = this.seated = this.downUntilMs = 0
  }

  /** Closes a monitoring interval. */
  tick(): void {
    this.noteWait(0)
    const lengthMs = this.clock.nowMs - this.tickedMs
    this.prefillWaitMeanMs = lengthMs > 0 ? this.queuedIntegral / lengthMs : this.queuedMs
    this.gaps = {
      count: this.gapCount,
      sumMs: this.gapSumMs,
      firstCount: this.firstGapCount,
      firstSumMs: this.firstGapSumMs,
      openMs: this.running.size > 0 ? this.clock.nowMs - this.lastTokensMs : 0,
    }
    this.gapCount =
      this.gapSumMs =
      this.firstGapCount =
      this.firstGapSumMs =
      this.queuedIntegral =
        0
    this.tickedMs = this.clock.nowMs
  }

  private noteWait(changeMs: number): void {
    this.queuedIntegral += this.queuedMs * (this.clock.nowMs - this.queuedSinceMs)
    this.queuedSinceMs = this.clock.nowMs
    this.queuedMs += changeMs
  }
}
