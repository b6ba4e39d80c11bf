/**
 * One request through the production chart and hosts, with one fault at one chosen operation (and, if wished, a cancel at
 * another), and what must hold afterwards whatever the fault was.
 * @module
 */
import type { Fate, Operation } from '../../runtime/bus/memory.ts'
import type { Bus } from '../../runtime/bus/bus.ts'
import type { TokenOut } from '../../runtime/engine/engine.ts'
import type { Policy } from '../../runtime/policy/policy.ts'
import { isTerminal, type RequestRecord } from '../../runtime/wire/hop.ts'
import { MemoryCluster, type MemoryClusterOptions, picture, readAll, seenPrompt, submission } from './memory-cluster.ts'
import { scriptedToken } from './script-engine.ts'

/** What may go wrong at an operation; `kill` and `pause` hit the process that performs it. */
export type Fault = 'none' | 'lose' | 'loseReply' | 'double' | 'killBefore' | 'killAfter' | 'pause' | 'restart' | 'longRestart'
export const FAULTS: readonly Fault[] = ['lose', 'loseReply', 'double', 'killBefore', 'killAfter', 'pause', 'restart', 'longRestart']

export interface FaultRun {
  fault: Fault
  /** Operation at which it strikes: counted from the submission, or the first one that fits. */
  at: number | ((operation: Operation) => boolean)
  /** Operation at which the caller goes away. */
  cancelAt?: number
  policy?: Policy
  choices?: number
  /** Instances, labels, and the like. */
  cluster?: Pick<MemoryClusterOptions, 'instances' | 'labels'>
  /** With a picture of three tiles in its prompt. */
  sees?: boolean
  sabotage?: (bus: Bus, name: string) => Bus
  /** A second process that acts on the request, told its id when the third token has been shown. */
  meddler?: (bus: Bus, cluster: MemoryCluster, id: string) => Promise<unknown>
}

export interface FaultResult {
  /** Operations seen; `at` beyond it means that the fault did not strike. */
  operations: number
  struck: Operation | undefined
  violations: string[]
  state: string
}

const DOUBLED = new Set(['publish', 'append', 'ack', 'request'])
const PAUSE_MS = 5_000
const PROMPT = [5, 6, 7]
/** A word, a picture, a word. */
const PICTURED = [5, 0, 0, 0, 0, 0, 0, 7]
const LENGTH = 4

export async function faultRun({ fault, at, cancelAt, policy, choices = 1, sabotage, meddler, cluster: shape, sees }: FaultRun): Promise<FaultResult> {
  let counting = false
  let operations = 0
  let struck: Operation | undefined
  let cancel: (() => void) | undefined
  let cancelled = false
  const onOperation = (operation: Operation, cluster: MemoryCluster): Fate => {
    if (!counting) return 'ok'
    operations++
    if (cancelAt !== undefined && operations >= cancelAt && !cancelled && cancel) {
      cancelled = true
      cluster.clock.setTimer(0, cancel)
    }
    if (struck !== undefined || (typeof at === 'number' ? operations !== at : !at(operation))) return 'ok'
    struck = operation
    switch (fault) {
      case 'lose':
      case 'loseReply':
        return fault
      case 'double':
        return DOUBLED.has(operation.kind) ? 'double' : 'ok'
      case 'killBefore':
        cluster.kill(operation.client)
        return 'lose'
      case 'killAfter':
        cluster.clock.setTimer(0.5, () => cluster.kill(operation.client))
        return 'ok'
      case 'pause':
        cluster.processes.get(operation.client)!.clock.pause(PAUSE_MS)
        return 'ok'
      case 'restart':
        cluster.server.restart(300)
        return 'ok'
      case 'longRestart':
        cluster.server.restart(5_000)
        return 'ok'
      case 'none':
        return 'ok'
    }
  }
  const cluster = new MemoryCluster({ onOperation, ...shape, ...(policy ? { policy } : {}), ...(sabotage ? { sabotage } : {}) })
  await cluster.start()
  counting = true
  let result: Awaited<ReturnType<typeof readAll>> | undefined
  let id = ''
  let refused: unknown
  const base = submission()
  const pictured = sees ? { prompt: PICTURED, pictures: [picture('a house', 1, 3)] } : { prompt: PROMPT }
  const request = submission({ ...pictured, n: choices, sampling: { ...base.sampling, maxTokens: LENGTH } })
  const prompt = seenPrompt(request)
  void cluster.front.submit(request, new AbortController().signal).then(
    async (open) => {
      id = open.id
      cancel = () => open.cancel()
      result = await readAll(meddling(open.tokens))
    },
    (error) => (refused = error),
  )
  async function* meddling(tokens: AsyncIterable<TokenOut[]>): AsyncGenerator<TokenOut[]> {
    let count = 0
    for await (const batch of tokens) {
      const before = count
      count += batch.length
      yield batch
      if (meddler && before < 3 && count >= 3) {
        cancelled = true
        void meddler(cluster.process('m1').bus, cluster, id).catch(() => undefined)
      }
    }
  }
  const gatewayDied = () => struck?.client === 'g1' && fault.startsWith('kill')
  const recordOf = (): RequestRecord | undefined => {
    const entry = [...(cluster.server.buckets.get('volley_requests') ?? [])].at(0)
    return entry && (JSON.parse(new TextDecoder().decode(entry[1].value)) as RequestRecord)
  }
  const ended = () => result !== undefined || refused !== undefined || (gatewayDied() && (recordOf() === undefined || isTerminal(recordOf()!)))
  const finished = await cluster.clock.runUntil(ended, 120_000)
  await cluster.clock.advance(fault === 'pause' ? PAUSE_MS + 3_000 : 3_000)
  // With nobody dead and nothing lost, memory is given back at once, not when leases end.
  const heldLong = (fault === 'none' || fault === 'pause') && cluster.instances.some(({ holds }) => holds.size > 0)
  counting = false
  // Late ENDs, redeliveries and leases have their say before we look.
  await cluster.clock.advance(gatewayDied() ? 120_000 : 45_000)
  const record = recordOf()
  return { operations, struck, violations: judge(), state: record?.state ?? 'none' }

  function judge(): string[] {
    const bad: string[] = []
    if (!finished) bad.push('the request did not end')
    if (heldLong) bad.push('KV is held until its lease ends')
    if (record && !isTerminal(record)) bad.push(`the record is left in ${record.state}`)
    if (result) {
      for (let choice = 0; choice < choices; choice++) {
        const shown = result.shown.filter((t) => t.choice === choice)
        if (shown.some((t, i) => t.index !== i)) bad.push(`choice ${choice} shown out of order: ${shown.map((t) => t.index)}`)
        const expected = shown.map((_, i) => scriptedToken(prompt, 1, choice, i))
        if (shown.some((t, i) => t.token !== expected[i])) bad.push(`choice ${choice} shows other tokens`)
        if (!result.error && shown.length !== LENGTH) bad.push(`choice ${choice} is done with ${shown.length} of ${LENGTH} tokens`)
      }
      const state = result.error ? (result.error.code === 'cancelled' ? 'cancelled' : 'failed') : 'done'
      if (record && record.state !== state) bad.push(`the reader saw ${state}, the record says ${record.state}`)
      if (result.error && !(cancelled && result.error.code === 'cancelled')) bad.push(`it failed: ${result.error.code}`)
    }
    for (const hop of cluster.server.hops.values()) bad.push(`a hop is left: ${hop.subject}`)
    for (const subject of cluster.server.scheduled()) bad.push(`a timer is left: ${subject}`)
    for (const [i, instance] of cluster.instances.entries()) {
      if (!cluster.processes.get(`i${i + 1}`)!.alive) continue
      if (instance.host.jobs.size > 0) bad.push(`instance ${i + 1} still works`)
      if (instance.holds.waitingTokens > 0) bad.push(`instance ${i + 1} still counts ${instance.holds.waitingTokens} tokens as waiting`)
      if (instance.holds.size > 0 || cluster.engines[i]!.stats().holds > 0) bad.push(`instance ${i + 1} still holds KV`)
    }
    for (const [name, plane] of cluster.planes) {
      if (cluster.processes.get(name)!.alive && plane.held().length > 0) bad.push(`${name} still offers ${plane.held().length}`)
    }
    for (const error of cluster.errors) bad.push(`reported: ${String(error)}`)
    if (id === '' && result) bad.push('no id')
    return bad
  }
}
