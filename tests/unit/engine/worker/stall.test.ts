/** When a thread counts as hung, on a clock that the test moves: the thread itself is a stand-in. */
import { EventEmitter } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { EngineInfo, EngineStats } from '../../../../runtime/engine/engine.ts'
import { EngineClient } from '../../../../runtime/engine/worker/client.ts'
import type { Call, Message } from '../../../../runtime/engine/worker/protocol.ts'
import { drawn, patience } from '../../../helpers/toy-engine.ts'
import { givenLater } from '../../../helpers/toy-pictures.ts'

const STALL_MS = 1000
const marks = [{ start: 3, tokens: 6, name: 'cat/0' }, { start: 20, tokens: 6, name: 'cat/1' }]
const job = { hold: 'h', tokens: Array.from({ length: 30 }, () => 1), sampling: drawn, choices: 1 }

class StandIn extends EventEmitter {
  readonly calls: Call[] = []
  postMessage(call: Call): void {
    this.calls.push(call)
  }
  terminate(): Promise<number> {
    this.emit('exit', 1)
    return Promise.resolve(1)
  }
  /** A step has ended. */
  news(): void {
    this.emit('message', { kind: 'news', reports: [], stats: {} as EngineStats, seen: 0 } satisfies Message)
  }
}

function standIn() {
  const thread = new StandIn()
  const info = { blockTokens: 4, blocksTotal: 100 } as EngineInfo
  const ready = { kind: 'ready' as const, info, stats: {} as EngineStats }
  const client = new EngineClient(thread as unknown as Worker, ready, { closeTimeoutMs: 1, stallTimeoutMs: STALL_MS })
  const exits: unknown[] = []
  client.onExit((error) => exits.push(error))
  return { thread, client, exits }
}
/** What a call comes to; looked at when the clock has moved. */
const outcome = (call: Promise<unknown>) => call.then(() => 'answered', (error: { code: string }) => error.code)

beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }))
afterEach(() => vi.useRealTimers())

describe('a silent thread', () => {
  test('is ended once it has been silent for so long while a call is open, and not before', async () => {
    const { thread, client, exits } = standIn()
    const prefill = outcome(client.prefill(job, patience()))
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(STALL_MS * 0.9)
      thread.news()
    }
    await vi.advanceTimersByTimeAsync(STALL_MS * 0.9)
    expect(exits).toEqual([])
    await vi.advanceTimersByTimeAsync(STALL_MS * 0.5)
    expect(await prefill).toBe('engine_failed')
    expect(exits).toMatchObject([{ code: 'engine_failed', message: expect.stringContaining('has not ended') }])
  })

  test('may be silent while nothing is asked of it, and its time begins with the next call', async () => {
    const { client, exits } = standIn()
    await vi.advanceTimersByTimeAsync(STALL_MS * 10)
    void outcome(client.prefill(job, patience()))
    await vi.advanceTimersByTimeAsync(STALL_MS * 0.9)
    expect(exits).toEqual([])
  })

  test('may be silent while it waits for vectors, and its time begins with the last of them', async () => {
    const { thread, client, exits } = standIn()
    const { given, arrive } = givenLater(marks)
    const prefill = outcome(client.prefill({ ...job, given }, patience()))
    await vi.advanceTimersByTimeAsync(STALL_MS * 5)
    arrive(0)
    await vi.advanceTimersByTimeAsync(STALL_MS * 5)
    arrive(1)
    await vi.advanceTimersByTimeAsync(STALL_MS * 0.9)
    expect(exits).toEqual([])
    expect(thread.calls.map(({ kind }) => kind)).toEqual(['prefill', 'give', 'give'])
    await vi.advanceTimersByTimeAsync(STALL_MS * 0.5)
    expect(await prefill).toBe('engine_failed')
  })

  test('is ended for a call beside one that waits for vectors', async () => {
    const { client } = standIn()
    const waits = outcome(client.prefill({ ...job, given: givenLater(marks).given }, patience()))
    await vi.advanceTimersByTimeAsync(STALL_MS * 5)
    const beside = outcome(client.exportHold('h'))
    await vi.advanceTimersByTimeAsync(STALL_MS * 1.5)
    expect(await Promise.all([waits, beside])).toEqual(['engine_failed', 'engine_failed'])
  })
})
