/**
 * The instance's process: one or several engines, each with every actor.
 * @module
 */
import { hostname } from 'node:os'
import { subjects } from '../../runtime/bus/subjects.ts'
import { realClock } from '../../runtime/clock.ts'
import type { Config } from '../../runtime/config/mod.ts'
import { openModel } from '../../runtime/engine/load/mod.ts'
import { autoEngine } from '../../runtime/engine/native/auto.ts'
import { openText } from '../../runtime/engine/text/mod.ts'
import { startEngine } from '../../runtime/engine/worker/start.ts'
import { VolleyError } from '../../runtime/errors.ts'
import { newId } from '../../runtime/ids.ts'
import type { Json, JsonObject } from '../../runtime/json.ts'
import { locateModel } from '../../runtime/models/locate.ts'
import { logger } from '../../runtime/observe/log.ts'
import type { CostProfile, Label } from '../../runtime/policy/mod.ts'
import type { Actor } from '../../runtime/pool/actor.ts'
import { labelAtStart } from '../../runtime/pool/labels.ts'
import { directPlane } from '../../runtime/transfer/direct.ts'
import { planeMover } from '../../runtime/transfer/mover.ts'
import type { TransferPlane } from '../../runtime/transfer/plane.ts'
import { decode } from '../decode/actor.ts'
import { encode } from '../encode/actor.ts'
import { loadExtensions } from '../extensions.ts'
import { prefill } from '../prefill/actor.ts'
import { joinBus, listService, modesOf, stopped } from '../process.ts'
import { stopWatchOf } from '../stop-watch.ts'
import { show } from '../show/actor.ts'
import { transfer } from '../transfer/actor.ts'
import { Instance } from './instance.ts'
import { profileOf } from './profile.ts'

const ACTORS: readonly Actor[] = [encode, prefill, transfer, decode, show]

/** Runs until the signal fires; `pace` holds its engines to another machine's times. Errors: `model_file_missing`, `engine_unavailable`, `bus_unreachable`, … */
export async function runInstance(config: Config, signal: AbortSignal, pace?: CostProfile): Promise<void> {
  const base = config.name ?? newId('i')
  const log = logger(config, { instance: base })
  const extra = await loadExtensions(config.pipelines)
  const path = await locateModel(config.model)
  const text = openText(path)
  const bus = await joinBus(config, base, signal)
  // Bytes that go over NATS must not stand before tokens and beats: a connection of their own.
  const bulk = await joinBus(config, `${base} bulk`, signal)
  const backends = backendsOf(config, path)
  const labels = Object.entries(config.labels).flatMap(([label, count]) => Array<Label>(count ?? 0).fill(label as Label))
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const instances: Instance[] = []
  let plane: TransferPlane | undefined
  try {
    plane = await directPlane({ owner: base, incarnation: newId('life'), bus: bulk, tcpListen: config.transferHost, modes: modesOf(config) })
    for (let i = 0; i < config.instances; i++) {
      const id = config.instances === 1 ? base : `${base}-${i + 1}`
      const engine = await startEngine({
        load: { modelPath: path, ...backends, ...(pace && { pace: { ...pace } }) },
        ...(config.context === undefined ? {} : { contextLength: config.context }),
        ...(config.maxBatch === undefined ? {} : { maxBatch: config.maxBatch }),
        signal: either,
      })
      engine.onExit((error) => error !== undefined && failed.abort(error))
      const mover = planeMover({
        plane, onPull: (request) => instance.holds.renew(request), ...(config.transfer === 'auto' ? {} : { modes: [config.transfer] }),
      })
      const instance: Instance = new Instance({
        bus, clock: realClock, id, incarnation: newId('life'), engine, text, mover, stopWatch: stopWatchOf(text),
        actors: [...ACTORS, ...extra], host: hostname(), pid: process.pid, profile: await profileOf(engine, { pace: pace?.name, signal: either }),
        onError: (error, request) => log.error({ err: error, request }, 'hop'),
      })
      // Kept if it is there: an instance that starts again goes on with the label it had.
      const label = labels[i] ?? null
      if (label !== null) await labelAtStart(bus, realClock, id, label)
      await instance.start()
      instances.push(instance)
      listService(bus, 'instance', `instance ${id}, model ${text.name} on ${engine.info.backend}`, [{
        name: 'hop',
        subject: subjects.handOver(id),
        data: () => instance.stats() as unknown as Json,
      }])
      log.info({ id, model: text.name, backend: engine.info.backend, blocks: engine.info.blocksTotal }, 'instance is up')
    }
    await stopped(either)
    if (failed.signal.aborted) throw failed.signal.reason
  } finally {
    await Promise.all(instances.map((instance) => instance.stop(config.graceMs)))
    await plane?.close()
    await Promise.all([bus.close(), bulk.close()])
  }
}

/** Backends that are there so far, and the one that `auto` takes. */
const BACKENDS = ['wasm', 'cpu', 'tensorflow']

/** What computes. Error: `engine_unavailable` for what is not there yet, so that nobody measures one thing and believes another. */
function backendsOf({ engine: { prefill: first, decode: second }, dtype, threads }: Config, path: string): Backends {
  const refuse = (what: string, remedy: string): never => {
    throw new VolleyError('engine_unavailable', `Cannot compute with ${what}: this version does not have it`, { remedy })
  }
  for (const name of [first, second]) {
    if (name !== 'auto' && !BACKENDS.includes(name)) refuse(`--engine ${name}`, `take one of: auto, ${BACKENDS.join(', ')}`)
  }
  if (dtype !== undefined && dtype !== 'f32') refuse(`--dtype ${dtype}`, 'leave it out: weights are widened to f32')
  const auto = autoEngine(widthOf(path))
  const backend = first === 'auto' ? auto.prefill : first
  const decodeBackend = second === 'auto' ? auto.decode : second
  const native = backend === 'tensorflow' || decodeBackend === 'tensorflow'
  if (!native && threads !== undefined && threads > 1) refuse(`--threads ${threads}`, 'leave it out: one thread an instance; more instances use more cores')
  // What auto takes must not crowd out neighbours that it does not know of.
  const own = threads ?? (first === 'auto' && native ? 1 : undefined)
  return { backend, decodeBackend, ...(own !== undefined && { threads: own }) }
}

function widthOf(path: string): number {
  const source = openModel(path)
  source.close()
  return source.config.hiddenSize
}

/** Prompts go through the one, generated tokens through the other. */
interface Backends extends JsonObject {
  backend: string
  decodeBackend: string
}
