/**
 * The whole system without sockets: a broker in memory, production gateway core, schedulers and instances, each a
 * process of its own that can be killed or paused, on one virtual clock.
 * @module
 */
import { Instance } from '../../actors/instance/instance.ts'
import { ClusterFront } from '../../actors/gateway/cluster-front.ts'
import type { Submission } from '../../actors/gateway/front.ts'
import { decode } from '../../actors/decode/actor.ts'
import { Scheduler } from '../../actors/scheduler/scheduler.ts'
import { prefill } from '../../actors/prefill/actor.ts'
import { transfer } from '../../actors/transfer/actor.ts'
import type { Bus } from '../../runtime/bus/bus.ts'
import { memoryBus, type Fate, type Operation } from '../../runtime/bus/memory.ts'
import { MemoryServer } from '../../runtime/bus/memory-server.ts'
import { subjects } from '../../runtime/bus/subjects.ts'
import type { Engine, TokenOut } from '../../runtime/engine/engine.ts'
import type { TextModel } from '../../runtime/engine/text.ts'
import { isVolleyError, VolleyError } from '../../runtime/errors.ts'
import type { JsonObject } from '../../runtime/json.ts'
import type { Policy } from '../../runtime/policy/policy.ts'
import { unmeasured } from '../../runtime/policy/profile.ts'
import { policyOf } from '../../runtime/policy/mod.ts'
import type { Actor } from '../../runtime/pool/actor.ts'
import { Dispatcher } from '../../runtime/pool/dispatcher.ts'
import type { Mover } from '../../runtime/pool/mover.ts'
import { Presence } from '../../runtime/pool/presence.ts'
import { Cluster } from '../../runtime/pool/view.ts'
import { ScriptEngine } from './script-engine.ts'
import { ProcessClock, VirtualClock } from './virtual-clock.ts'

export const scriptText: TextModel = {
  name: 'script', vocabSize: 100, contextLength: 512, endTokens: [], hasTokenizer: false,
  encode: () => [], tokenBytes: () => new Uint8Array(), decode: (ids) => ids.join(' '), chat: () => [],
}

export interface Process {
  name: string
  clock: ProcessClock
  bus: Bus
  alive: boolean
}

export interface MemoryClusterOptions {
  instances?: number
  schedulers?: number
  policy?: Policy
  /** Whole schedulers, which an operator may tell to decide otherwise; goes before `policy`. */
  policyName?: string
  shadow?: string
  actors?: Actor[]
  /** KV blocks of four tokens that each instance has. */
  blocksTotal?: number
  text?: TextModel
  onOperation?: (operation: Operation, cluster: MemoryCluster) => Fate
  /** Breaks a rule of the protocol on purpose, for tests that must see it broken. */
  sabotage?: (bus: Bus, name: string) => Bus
}

export class MemoryCluster {
  readonly clock = new VirtualClock()
  readonly server = new MemoryServer(this.clock)
  readonly processes = new Map<string, Process>()
  readonly instances: Instance[] = []
  readonly schedulers: Scheduler[] = []
  readonly engines: ScriptEngine[] = []
  readonly errors: unknown[] = []
  front!: ClusterFront
  private readonly options: MemoryClusterOptions

  constructor(options: MemoryClusterOptions = {}) {
    this.options = options
  }

  process(name: string): Process {
    const clock = new ProcessClock(this.clock)
    const onOperation = (operation: Operation) => this.options.onOperation?.(operation, this) ?? 'ok'
    const { sabotage = (bus: Bus) => bus } = this.options
    const process: Process = { name, clock, bus: sabotage(memoryBus(this.server, { name, clock, onOperation }), name), alive: true }
    this.processes.set(name, process)
    return process
  }

  /** SIGKILL: no code of it runs any more, nothing it listens to is heard. */
  kill(name: string): void {
    const process = this.processes.get(name)!
    process.alive = false
    process.clock.kill()
    void process.bus.close()
  }

  async start(): Promise<void> {
    const { instances = 2, schedulers = 2, policy = policyOf('round-robin'), actors = [prefill, transfer, decode] } = this.options
    const { text = scriptText, policyName, shadow } = this.options
    let ready = false
    const up = async () => {
      for (let i = 1; i <= instances; i++) await this.startInstance(`i${i}`, actors)
      for (let i = 1; i <= schedulers; i++) {
        const { bus, clock } = this.process(`s${i}`)
        if (policyName !== undefined) {
          const slo = { ttftMs: 1_000, tpotMs: 50 }
          const scheduler = new Scheduler({ bus, clock, name: `s${i}`, policy: policyName, shadow, slo, times: {}, onError: (e) => this.errors.push(e) })
          this.schedulers.push(scheduler)
          await scheduler.start()
          continue
        }
        const cluster = new Cluster()
        await cluster.start(bus)
        const dispatcher = new Dispatcher({ bus, clock, cluster, policy, name: `s${i}`, onError: (e) => this.errors.push(e) })
        void dispatcher.run().catch((e) => this.errors.push(e))
      }
      const { bus, clock } = this.process('g1')
      const cluster = new Cluster()
      await cluster.start(bus)
      await new Presence(bus, clock, 'volley_gateways', 'g1', () => ({ state: 'up' })).renew()
      this.front = new ClusterFront({ bus, clock, gateway: 'g1', text, cluster, maxOpen: 100, onError: (e) => this.errors.push(e) })
      ready = true
    }
    void up().catch((e) => this.errors.push(e))
    if (!(await this.clock.runUntil(() => ready, 60_000))) throw new Error(`the cluster did not start: ${this.errors[0]}`)
  }

  async startInstance(id: string, actors: Actor[]): Promise<Instance> {
    const { bus, clock } = this.process(id)
    const { blocksTotal } = this.options
    const engine = new ScriptEngine({ clock, ...(blocksTotal === undefined ? {} : { blocksTotal }) })
    const instance = new Instance({
      bus, clock, id, incarnation: `x${this.instances.length}`, engine, text: this.options.text ?? scriptText, actors, host: 'here', pid: 0, profile: unmeasured(4_000),
      mover: busMover(bus, id, engine), stopWatch: () => () => false, onError: (e) => this.errors.push(e),
    })
    this.engines.push(engine)
    this.instances.push(instance)
    await instance.start()
    return instance
  }
}

/** Moves KV over the bus as JSON: enough for a protocol test. */
function busMover(bus: Bus, id: string, engine: Engine): Mover & { forget(hold: string): void } {
  bus.subscribe(subjects.instanceOp(id, 'kv'), (m) => {
    void engine.exportHold(m.json<{ hold: string }>().hold).then(
      ({ bytes, digest }) => m.respond(JSON.stringify({ bytes: [...bytes], digest })),
      () => m.respond('{"gone":true}'),
    )
  })
  return {
    offer: (info) => ({ instance: id, hold: info.hold }),
    async pull(ticket: JsonObject, { signal }) {
      try {
        const subject = subjects.instanceOp(ticket['instance'] as string, 'kv')
        const message = await bus.request(subject, JSON.stringify(ticket), { timeoutMs: 1000, signal })
        const { bytes, digest, gone } = message.json<{ bytes: number[]; digest: string; gone?: boolean }>()
        if (gone) throw new VolleyError('transfer_failed', 'The KV is gone')
        return { bytes: Uint8Array.from(bytes), digest, mode: 'bus', recycle: () => undefined }
      } catch (error) {
        if (isVolleyError(error, 'cancelled') && signal.aborted) throw error
        throw new VolleyError('transfer_failed', 'Cannot pull the KV', { cause: error })
      }
    },
    forget: () => undefined,
  }
}

/** A small greedy request. */
export const submission = (over: Partial<Submission> = {}): Submission => ({
  model: 'script', pipeline: undefined, lane: 'default', prompt: [5, 6, 7], pictures: [], n: 1, stop: [], timeoutMs: 60_000,
  sampling: {
    maxTokens: 5, temperature: 0, topP: 1, topK: 0, minP: 0, seed: 1, presencePenalty: 0, frequencyPenalty: 0,
    repetitionPenalty: 1, logitBias: [], stopTokens: [], ignoreEos: false,
  },
  ...over,
})

/** Reads a request to its end: tokens by choice, every one noted as it was shown. */
export async function readAll(tokens: AsyncIterable<TokenOut[]>): Promise<{ shown: TokenOut[]; error?: VolleyError }> {
  const shown: TokenOut[] = []
  try {
    for await (const batch of tokens) shown.push(...batch)
    return { shown }
  } catch (error) {
    return { shown, error: error as VolleyError }
  }
}
