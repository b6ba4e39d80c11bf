/**
 * An Engine whose compute lives on a thread of its own: calls are messages, stats are mirrored after every step, and
 * the thread's death rejects all that is open. It knows the protocol; nothing of models.
 * @module
 */
import type { Worker } from 'node:worker_threads'
import { VolleyError } from '../../errors.ts'
import type { DecodeJob, DecodeRun, Engine, EngineInfo, EngineStats } from '../engine.ts'
import type { HoldInfo, PrefillJob, PrefillResult, TokenOut } from '../engine.ts'
import { Calls } from './calls.ts'
import type { Call, Message } from './protocol.ts'

/** An engine on its own thread, which may die. */
export interface EngineThread extends Engine {
  /** Calls back once when the thread has ended: `undefined` after `close()`, else why. At once if it has already. */
  onExit(listener: (error: VolleyError | undefined) => void): void
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never

export class EngineClient implements EngineThread {
  readonly info: EngineInfo
  readonly #worker: Worker
  readonly #closeTimeoutMs: number
  readonly #calls = new Calls()
  readonly #holds = new Map<string, HoldInfo>()
  readonly #exit = Promise.withResolvers<VolleyError | undefined>()
  #stats: EngineStats
  /** Blocks asked for by calls that the stats do not know of yet. */
  #asked: { id: number; blocks: number }[] = []
  #lastId = 0
  #closing: Promise<void> | undefined
  #gone: VolleyError | undefined

  constructor(worker: Worker, ready: Message & { kind: 'ready' }, closeTimeoutMs: number) {
    this.info = ready.info
    this.#stats = ready.stats
    this.#worker = worker
    this.#closeTimeoutMs = closeTimeoutMs
    let cause: unknown
    worker.on('message', (message: Message) => this.#hear(message))
    worker.on('error', (error) => (cause = error))
    worker.on('exit', (code) => this.#died(code, cause))
  }

  stats(): EngineStats {
    return this.#stats
  }

  hasRoom(tokens: number): boolean {
    const asked = this.#asked.reduce((sum, { blocks }) => sum + blocks, 0)
    return this.#blocksFor(tokens) + asked + this.#stats.blocksReserved <= this.info.blocksTotal
  }

  async prefill(job: PrefillJob, signal: AbortSignal): Promise<PrefillResult> {
    const { answer } = this.#call<PrefillResult>({ kind: 'prefill', job }, { signal, tokens: job.tokens.length })
    const result = await answer
    this.#holds.set(job.hold, result.hold)
    return result
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

  async importHold(info: HoldInfo & { tokenIds: number[] }, bytes: Uint8Array, digest: string): Promise<HoldInfo> {
    const { answer } = this.#call<HoldInfo>({ kind: 'import', info, bytes, digest }, { tokens: info.tokens })
    const hold = await answer
    this.#holds.set(hold.hold, hold)
    return hold
  }

  release(hold: string): void {
    this.#holds.delete(hold)
    this.#send({ kind: 'release', hold })
  }

  onExit(listener: (error: VolleyError | undefined) => void): void {
    void this.#exit.promise.then(listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#gone) return
    const { answer } = this.#call<void>({ kind: 'close' })
    let timer: ReturnType<typeof setTimeout> | undefined
    const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, this.#closeTimeoutMs)))
    // A thread that dies meanwhile is closed too; one that does not answer in time is ended all the same.
    await Promise.race([answer.catch(() => {}), deadline])
    clearTimeout(timer)
    await this.#worker.terminate()
    await this.#exit.promise
  }

  #call<T>(
    call: WithoutId<Call>,
    options: { signal?: AbortSignal; tokens?: number; onTokens?: (tokens: TokenOut[]) => void } = {},
  ): { id: number; answer: Promise<T> } {
    const { signal, tokens, onTokens } = options
    const id = this.#lastId + 1
    const opened = this.#calls.open<T>(id, onTokens)
    const abort = () => this.#send({ kind: 'abort', call: id })
    signal?.addEventListener('abort', abort, { once: true })
    const answer = opened.finally(() => signal?.removeEventListener('abort', abort))
    // Whoever awaits the answer sees a rejection; it must not count as unhandled before they do.
    answer.catch(() => {})
    if (this.#gone) this.#calls.rejectAll(this.#gone)
    else this.#send(call)
    if (tokens !== undefined) this.#asked.push({ id, blocks: this.#blocksFor(tokens) })
    if (signal?.aborted) abort()
    return { id, answer }
  }

  #send(call: WithoutId<Call>): void {
    if (!this.#gone) this.#worker.postMessage({ ...call, id: ++this.#lastId })
  }

  #hear(message: Message): void {
    if (message.kind !== 'news') return
    this.#stats = message.stats
    this.#asked = this.#asked.filter(({ id }) => id > message.seen)
    for (const report of message.reports) this.#calls.take(report)
  }

  #died(code: number, cause: unknown): void {
    const how = cause instanceof Error ? cause.message : `exit code ${code}`
    const error = new VolleyError('engine_failed', `The engine's thread ended: ${how}`, {
      remedy: 'Start another engine; requests go on elsewhere from what they have.',
      cause,
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
