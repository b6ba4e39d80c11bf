/**
 * An Engine whose compute lives on a thread of its own: calls are messages, stats are mirrored after every step, and
 * the thread's death rejects all that is open. It knows the protocol; nothing of models.
 * @module
 */
import type { Worker } from 'node:worker_threads'
import { VolleyError } from '../../errors.ts'
import type { DecodeJob, DecodeRun, EncodeJob, Engine, EngineInfo, EngineStats } from '../engine.ts'
import type { GivenVectors, HoldContent, HoldInfo, PrefillJob, PrefillResult, TokenOut } from '../engine.ts'
import { handled } from '../handled.ts'
import { Calls } from './calls.ts'
import { type Call, type Message, toErrorData } from './protocol.ts'
import { sharedBytes, sharedFloats } from './shared.ts'

/** An engine on its own thread, which may die. */
export interface EngineThread extends Engine {
  /** Calls back once when the thread has ended: `undefined` after `close()`, else why. At once if it has already. */
  onExit(listener: (error: VolleyError | undefined) => void): void
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never

export interface ClientOptions {
  /** How long `close()` waits for the step under way. */
  closeTimeoutMs: number
  /** How long the thread may be silent while a call is open; then it is ended. */
  stallTimeoutMs: number
}

export class EngineClient implements EngineThread {
  readonly info: EngineInfo
  /** Present where `info.vision` is. */
  readonly encode?: (job: EncodeJob, signal: AbortSignal) => Promise<Float32Array>
  readonly #worker: Worker
  readonly #options: ClientOptions
  readonly #calls = new Calls()
  readonly #holds = new Map<string, HoldInfo>()
  /** Holds whose making is under way; one released meanwhile must not appear again when the answer comes. */
  readonly #making = new Set<{ hold: string; released: boolean }>()
  /** Prefills whose vectors have not all been handed on: the thread may have nothing to do but to wait for them. */
  readonly #starved = new Set<number>()
  readonly #exit = Promise.withResolvers<VolleyError | undefined>()
  #stats: EngineStats
  /** Blocks asked for by calls that the stats do not know of yet. */
  #asked: { id: number; blocks: number }[] = []
  #lastId = 0
  #heardAt = performance.now()
  #stalled: VolleyError | undefined
  #closing: Promise<void> | undefined
  #gone: VolleyError | undefined

  constructor(worker: Worker, ready: Message & { kind: 'ready' }, options: ClientOptions) {
    this.info = ready.info
    this.#stats = ready.stats
    this.#worker = worker
    this.#options = options
    if (ready.info.vision) this.encode = (job, signal) => this.#encode(job, signal)
    let cause: unknown
    worker.on('message', (message: Message) => this.#hear(message))
    worker.on('error', (error) => (cause = error))
    const watch = setInterval(() => this.#watch(), options.stallTimeoutMs / 4).unref()
    worker.on('exit', (code) => {
      clearInterval(watch)
      this.#died(code, cause)
    })
  }

  stats(): EngineStats {
    return this.#stats
  }

  hasRoom(tokens: number): boolean {
    const asked = this.#asked.reduce((sum, { blocks }) => sum + blocks, 0)
    return this.#blocksFor(tokens) + asked + this.#stats.blocksReserved <= this.info.blocksTotal
  }

  async prefill(job: PrefillJob, signal: AbortSignal): Promise<PrefillResult> {
    const { given, ...rest } = job
    const marks = given?.map(({ start, tokens, name }) => ({ start, tokens, name }))
    const order = { ...rest, ...(marks && { given: marks }) }
    const { id, answer } = this.#call<PrefillResult>({ kind: 'prefill', job: order }, { signal, tokens: job.tokens.length })
    this.#handOn(id, given ?? [], answer)
    const result = await this.#mirror(job.hold, answer, ({ hold }) => hold)
    if (!signal.aborted) return result
    // The abort came too late to be heard over there; whoever aborts must not be left with a hold.
    this.release(job.hold)
    throw cancelled()
  }

  decode(job: DecodeJob, onTokens: (tokens: TokenOut[]) => void, signal: AbortSignal): DecodeRun {
    const tokens = (job.prompt.length + job.sampling.maxTokens) * job.choices.length
    const { id, answer } = this.#call<void>({ kind: 'decode', job }, { signal, tokens, onTokens })
    return { done: answer, stop: (choice) => this.#send({ kind: 'stop', call: id, choice }) }
  }

  hold(name: string): HoldInfo | undefined {
    return this.#holds.get(name)
  }

  exportHold(name: string): Promise<{ bytes: Uint8Array; digest: string }> {
    return this.#call<{ bytes: Uint8Array; digest: string }>({ kind: 'export', hold: name }).answer
  }

  async importHold(info: HoldInfo & HoldContent, bytes: Uint8Array, digest: string): Promise<HoldInfo> {
    const call = { kind: 'import', info, bytes: sharedBytes(bytes), digest } as const
    const { answer } = this.#call<HoldInfo>(call, { tokens: info.tokens })
    return await this.#mirror(info.hold, answer, (hold) => hold)
  }

  release(hold: string): void {
    this.#holds.delete(hold)
    for (const making of this.#making) if (making.hold === hold) making.released = true
    this.#send({ kind: 'release', hold })
  }

  onExit(listener: (error: VolleyError | undefined) => void): void {
    void this.#exit.promise.then(listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #encode({ image, ...job }: EncodeJob, signal: AbortSignal): Promise<Float32Array> {
    const order = { ...job, image: { ...image, data: sharedBytes(image.data) } }
    return this.#call<Float32Array>({ kind: 'encode', job: order }, { signal }).answer
  }

  /** Sends a prefill's vectors after it as they come, until it is through. */
  #handOn(call: number, given: readonly GivenVectors[], answer: Promise<unknown>): void {
    if (given.length > 0) this.#starved.add(call)
    const through = () => this.#starved.delete(call)
    answer.then(through, through)
    let missing = given.length
    for (const [place, { vectors }] of given.entries()) {
      vectors.then((floats) => this.#give(call, { kind: 'give', call, place, vectors: sharedFloats(floats) }, --missing))
        .catch((error: unknown) => {
          this.#give(call, { kind: 'withhold', call, place, error: toErrorData(error, 'engine_failed') }, --missing)
        })
    }
  }

  #give(call: number, gift: WithoutId<Call>, missing: number): void {
    if (!this.#starved.has(call)) return
    if (this.#busy === 0) this.#heardAt = performance.now()
    if (missing === 0) this.#starved.delete(call)
    this.#send(gift)
  }

  async #close(): Promise<void> {
    if (this.#gone) return
    const { answer } = this.#call<void>({ kind: 'close' })
    let timer: ReturnType<typeof setTimeout> | undefined
    const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, this.#options.closeTimeoutMs)))
    // A thread that dies meanwhile is closed too; one that does not answer in time is ended all the same.
    await Promise.race([answer.catch(() => {}), deadline])
    clearTimeout(timer)
    await this.#worker.terminate()
    await this.#exit.promise
  }

  /** Knows the hold from its answer on. */
  async #mirror<T>(hold: string, answer: Promise<T>, infoOf: (result: T) => HoldInfo): Promise<T> {
    const making = { hold, released: false }
    this.#making.add(making)
    try {
      const result = await answer
      if (!making.released) this.#holds.set(hold, infoOf(result))
      return result
    } finally {
      this.#making.delete(making)
    }
  }

  /** Calls that the thread works for. */
  get #busy(): number {
    return this.#calls.open - this.#starved.size
  }

  #call<T>(
    call: WithoutId<Call>,
    options: { signal?: AbortSignal; tokens?: number; onTokens?: (tokens: TokenOut[]) => void } = {},
  ): { id: number; answer: Promise<T> } {
    const { signal, tokens, onTokens } = options
    const refusal = this.#gone ?? (signal?.aborted ? cancelled() : undefined)
    if (refusal) return { id: 0, answer: handled(Promise.reject(refusal)) }
    const id = this.#lastId + 1
    if (this.#busy === 0) this.#heardAt = performance.now()
    const opened = this.#calls.add<T>(id, onTokens)
    const abort = () => this.#send({ kind: 'abort', call: id })
    signal?.addEventListener('abort', abort, { once: true })
    this.#send(call)
    if (tokens !== undefined) this.#asked.push({ id, blocks: this.#blocksFor(tokens) })
    return { id, answer: handled(opened.finally(() => signal?.removeEventListener('abort', abort))) }
  }

  #send(call: WithoutId<Call>): void {
    if (!this.#gone) this.#worker.postMessage({ ...call, id: ++this.#lastId })
  }

  #hear(message: Message): void {
    if (message.kind !== 'news') return
    this.#heardAt = performance.now()
    this.#stats = message.stats
    this.#asked = this.#asked.filter(({ id }) => id > message.seen)
    for (const report of message.reports) this.#calls.take(report)
  }

  /** Ends a thread from which nothing comes any more. */
  #watch(): void {
    const silentMs = performance.now() - this.#heardAt
    if (this.#busy === 0 || silentMs < this.#options.stallTimeoutMs) return
    this.#stalled = new VolleyError('engine_failed', `A step has not ended for ${Math.round(silentMs)} ms`)
    void this.#worker.terminate()
  }

  #died(code: number, cause: unknown): void {
    const why = this.#stalled ?? cause
    const how = why instanceof Error ? why.message : `exit code ${code}`
    const error = this.#closing
      ? new VolleyError('shutting_down', 'The engine is closed')
      : new VolleyError('engine_failed', `The engine's thread ended: ${how}`, {
        remedy: 'Start another engine; requests go on elsewhere from what they have.',
        cause: why,
      })
    this.#gone = error
    this.#holds.clear()
    this.#calls.rejectAll(error)
    this.#exit.resolve(this.#closing ? undefined : error)
  }

  #blocksFor(tokens: number): number {
    return Math.ceil(tokens / this.info.blockTokens)
  }
}

const cancelled = () => new VolleyError('cancelled', 'The call was cancelled')
