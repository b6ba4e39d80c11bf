/**
 * The whole system without sockets: a broker in memory, production gateway core, schedulers and instances, each a
 * process of its own that can be killed or paused, on one virtual clock.
 * @module
 */
import { createHash } from 'node:crypto'
import { Instance } from '../../actors/instance/instance.ts'
import { Admissions } from '../../actors/gateway/admissions.ts'
import { ClusterFront } from '../../actors/gateway/cluster-front.ts'
import type { Submission, SubmittedPicture } from '../../actors/gateway/front.ts'
import { decode } from '../../actors/decode/actor.ts'
import { encode } from '../../actors/encode/actor.ts'
import { Scheduler } from '../../actors/scheduler/scheduler.ts'
import { prefill } from '../../actors/prefill/actor.ts'
import { transfer } from '../../actors/transfer/actor.ts'
import type { Bus } from '../../runtime/bus/bus.ts'
import { memoryBus, type Fate, type Operation } from '../../runtime/bus/memory.ts'
import { MemoryServer } from '../../runtime/bus/memory-server.ts'
import type { TokenOut } from '../../runtime/engine/engine.ts'
import type { TextModel } from '../../runtime/engine/text.ts'
import { encodePrompt } from '../../runtime/engine/text/prompts.ts'
import type { ImageDecoder } from '../../runtime/engine/vision/decode.ts'
import { VolleyError } from '../../runtime/errors.ts'
import type { Label, Policy } from '../../runtime/policy/policy.ts'
import { unmeasured } from '../../runtime/policy/profile.ts'
import { policyOf } from '../../runtime/policy/mod.ts'
import type { Actor } from '../../runtime/pool/actor.ts'
import { AccuracyKeeper } from '../../runtime/pool/accuracy.ts'
import { Dispatcher } from '../../runtime/pool/dispatcher.ts'
import { labelAtStart } from '../../runtime/pool/labels.ts'
import { Presence } from '../../runtime/pool/presence.ts'
import { Cluster } from '../../runtime/pool/view.ts'
import { directPlane } from '../../runtime/transfer/direct.ts'
import { planeMover } from '../../runtime/transfer/mover.ts'
import type { TransferPlane } from '../../runtime/transfer/plane.ts'
import { SCRIPT_VISION, ScriptEngine, scriptedPrompt, scriptedTile } from './script-engine.ts'
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
  /** Instances that see no pictures. */
  blind?: string[]
  /** Label of each instance, by name. */
  labels?: Record<string, Label>
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
  /** By process. */
  readonly planes = new Map<string, TransferPlane>()
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
    const { instances = 2, schedulers = 2, policy = policyOf('round-robin'), actors = [encode, prefill, transfer, decode], labels = {} } = this.options
    const { text = scriptText, policyName, shadow } = this.options
    let ready = false
    const up = async () => {
      for (let i = 1; i <= instances; i++) await this.startInstance(`i${i}`, actors)
      for (const [instance, label] of Object.entries(labels)) {
        await labelAtStart(this.processes.get(instance)!.bus, this.clock, instance, label)
      }
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
      const plane = await this.plane('g1', 'life')
      const admissions = new Admissions({ bus, clock, gateway: 'g1', accuracy: new AccuracyKeeper(bus, 'g1') })
      this.front = new ClusterFront({ bus, clock, gateway: 'g1', text, prompts: async (prompt) => encodePrompt(text, prompt), cluster, plane, admissions, maxOpen: 100, onError: (e) => this.errors.push(e) })
      ready = true
    }
    void up().catch((e) => this.errors.push(e))
    if (!(await this.clock.runUntil(() => ready, 60_000))) throw new Error(`the cluster did not start: ${this.errors[0]}`)
  }

  /** Where a process offers bytes: over the bus alone, so that faults strike it, too. */
  async plane(name: string, incarnation: string): Promise<TransferPlane> {
    const { bus, clock } = this.processes.get(name)!
    const plane = await directPlane({ owner: name, incarnation, bus, clock, modes: ['nats'] })
    this.planes.set(name, plane)
    return plane
  }

  async startInstance(id: string, actors: Actor[]): Promise<Instance> {
    const { bus, clock } = this.process(id)
    const { blocksTotal, blind = [] } = this.options
    const engine = new ScriptEngine({ clock, ...(blocksTotal === undefined ? {} : { blocksTotal }), blind: blind.includes(id) })
    const incarnation = `x${this.instances.length}`
    const plane = await this.plane(id, incarnation)
    const instance: Instance = new Instance({
      bus, clock, id, incarnation, engine, text: this.options.text ?? scriptText, actors, host: 'here', pid: 0, profile: unmeasured(4_000),
      mover: planeMover({ plane, onPull: (request) => instance.holds.renew(request) }), pictures: scriptPictures, stopWatch: () => () => false, onError: (e) => this.errors.push(e),
    })
    this.engines.push(engine)
    this.instances.push(instance)
    await instance.start()
    return instance
  }
}

/** Pixels of a file that is no picture: its very bytes. A file that begins with 0 is damaged. */
const scriptPictures: Pick<ImageDecoder, 'decode'> = {
  decode: (file) =>
    file[0] === 0
      ? Promise.reject(new VolleyError('invalid_request', 'The picture is damaged'))
      : Promise.resolve({ width: file.length, height: 1, data: file.slice() }),
}

/** A picture of so many tiles, the first token of the first at `start`. */
export const picture = (content: string, start: number, tiles: number, over: Partial<SubmittedPicture> = {}): SubmittedPicture => ({
  key: createHash('sha256').update(content).digest('hex'),
  whole: false,
  starts: Array.from({ length: tiles }, (_, i) => start + i * SCRIPT_VISION.tileTokens),
  file: new TextEncoder().encode(content),
  ...over,
})

/** What the tokens of a request with pictures are a function of. */
export const seenPrompt = ({ prompt, pictures }: Submission): number[] =>
  scriptedPrompt(prompt, pictures.flatMap(({ file, whole, starts }) =>
    starts.map((start, tile) => ({ start, vectors: scriptedTile({ width: 0, height: 0, data: file }, whole, tile) }))))

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
