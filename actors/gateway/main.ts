/**
 * The gateway's process: the HTTP door, the text side of the model, the open responses.
 * @module
 */
import { subjects } from '../../runtime/bus/subjects.ts'
import { realClock } from '../../runtime/clock.ts'
import type { Config } from '../../runtime/config/mod.ts'
import { openText } from '../../runtime/engine/text/mod.ts'
import { promptsOf } from '../../runtime/engine/text/prompts.ts'
import { newId, toToken } from '../../runtime/ids.ts'
import type { Json } from '../../runtime/json.ts'
import { locateModel } from '../../runtime/models/locate.ts'
import { logger } from '../../runtime/observe/log.ts'
import { AccuracyKeeper } from '../../runtime/pool/accuracy.ts'
import { every } from '../../runtime/pool/holds.ts'
import { Presence } from '../../runtime/pool/presence.ts'
import { Cluster } from '../../runtime/pool/view.ts'
import { directPlane } from '../../runtime/transfer/direct.ts'
import { joinBus, listService, modesOf, stopped } from '../process.ts'
import { loadExtensions } from '../extensions.ts'
import { Admissions } from './admissions.ts'
import { ClusterFront } from './cluster-front.ts'
import { PictureDoor } from './pictures/door.ts'
import { pictureSide } from './pictures/side.ts'
import { createApp } from './http/app.ts'
import { listen } from './http/listen.ts'

/** Open requests of one gateway; the next is told to come back. */
const MAX_OPEN = 256
const SAVE_MS = 1_000

/** Serves until the signal fires. Errors: `port_taken`, `model_file_missing`, `bus_unreachable`, … */
export async function runGateway(config: Config, signal: AbortSignal): Promise<void> {
  // New for every life of the process: a record that names it never reaches another.
  const gateway = newId('gw')
  const log = logger(config, { gateway })
  await loadExtensions(config.pipelines)
  const path = await locateModel(config.model)
  const text = openText(path)
  const pictures = pictureSide(path, text)
  const bus = await joinBus(config, gateway, signal)
  // Pictures that go over NATS must not stand before tokens: a connection of their own.
  const bulk = await joinBus(config, `${gateway} bulk`, signal)
  const plane = await directPlane({ owner: gateway, incarnation: newId('life'), bus: bulk, tcpListen: config.transferHost, modes: modesOf(config) })
  const cluster = new Cluster()
  await cluster.start(bus)
  // By the process's own name: one that starts again goes on with its sums.
  const accuracy = new AccuracyKeeper(bus, config.name ?? gateway)
  await accuracy.load()
  // What could not be saved now is saved with the next one.
  const stopSaving = every(realClock, SAVE_MS, () => void accuracy.save().catch(() => undefined))
  const admissions = new Admissions({ bus, clock: realClock, gateway, accuracy })
  const front = new ClusterFront({
    bus, clock: realClock, gateway, text, prompts: promptsOf(path, text), cluster, plane, admissions, maxOpen: MAX_OPEN, ...(pictures && { pictures }),
    onError: (error, request) => log.error({ err: error, request }, 'request'),
  })
  const presence = new Presence(bus, realClock, 'volley_gateways', gateway, () => ({ state: 'up', ...front.stats() } as unknown as Json))
  const card = { state: 'served', name: text.name, contextLength: text.contextLength, vocabSize: text.vocabSize, hasTokenizer: text.hasTokenizer }
  const model = new Presence(bus, realClock, 'volley_models', toToken(text.name), () => card)
  await Promise.all([presence.renew(), model.renew()])
  const door = new PictureDoor({ hosts: config.imageHosts })
  const limits = { pictureBodyBytes: config.maxBodyMib * 2 ** 20 }
  const app = createApp({ front, apiKeys: config.apiKeys, log, door, limits })
  const server = await listen({ app, port: config.port, host: config.host })
  const service = listService(bus, 'gateway', `gateway ${gateway} at ${server.url}, model ${text.name}`, [{
    name: 'claim',
    subject: subjects.claim(gateway),
    data: () => front.stats() as unknown as Json,
  }])
  log.info({ url: server.url, model: text.name }, 'gateway is up')
  await stopped(signal)
  const closed = server.close()
  await front.close(config.graceMs)
  await server.close({ force: true })
  await closed
  cluster.stop()
  service.stop()
  stopSaving()
  await accuracy.save().catch(() => undefined)
  // The model's key ages out by itself: another gateway may serve it still.
  model.stop()
  await presence.close().catch(() => undefined)
  await plane.close()
  await Promise.all([bus.close(), bulk.close()])
}
