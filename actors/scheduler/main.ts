/**
 * The scheduler's process: places hops by its policy. It keeps nothing a request needs; run as many as you like.
 * @module
 */
import { subjects } from '../../runtime/bus/subjects.ts'
import { realClock } from '../../runtime/clock.ts'
import type { Config } from '../../runtime/config/mod.ts'
import { newId } from '../../runtime/ids.ts'
import type { Json } from '../../runtime/json.ts'
import { logger } from '../../runtime/observe/log.ts'
import { policyOf } from '../../runtime/policy/mod.ts'
import { Dispatcher } from '../../runtime/pool/dispatcher.ts'
import { Cluster } from '../../runtime/pool/view.ts'
import { inspectOne } from '../../runtime/client/inspect.ts'
import { joinBus, listService, stopped } from '../process.ts'

/** Runs until the signal fires. Errors: `policy_invalid`, `bus_unreachable`, `server_too_old`. */
export async function runScheduler(config: Config, signal: AbortSignal): Promise<void> {
  const policy = policyOf(config.policy)
  const name = config.name ?? newId('scheduler')
  const log = logger(config, { scheduler: name })
  const bus = await joinBus(config, name, signal)
  const { ttft = Infinity, tpot = Infinity } = config.slo
  const cluster = new Cluster({ ttftMs: ttft, tpotMs: tpot })
  await cluster.start(bus)
  let placed = 0
  let agreed = 0
  let flips = 0
  const dispatcher = new Dispatcher({
    bus,
    clock: realClock,
    cluster,
    policy,
    name,
    ...(config.shadow === undefined ? {} : { shadow: policyOf(config.shadow) }),
    onPlaced: (entry) => {
      placed++
      if (entry.shadow?.instance === entry.instance) agreed++
      log.debug({ ...entry }, 'placed')
    },
    onFlip: (change, applied) => {
      if (applied) flips++
      log.info({ ...change, applied }, 'flip')
    },
    onError: (error) => log.error({ err: error }, 'dispatch'),
  })
  const states = bus.subscribe(subjects.allRequestStates, (message) => {
    void inspectOne(bus, message.subject.split('.')[3]!).then(
      (found) => message.respond(JSON.stringify(found ?? { state: 'unknown' })),
      (error) => log.error({ err: error }, 'request state'),
    )
  }, { queue: 'states' })
  const service = listService(bus, 'scheduler', `scheduler ${name}, policy ${policy.name}`, [{
    name: 'state',
    subject: subjects.allRequestStates,
    data: (): Json => ({ policy: policy.name, placed, flips, ...(config.shadow === undefined ? {} : { shadow: config.shadow, agreed }), instances: cluster.view().instances.length }),
  }])
  const running = dispatcher.run()
  log.info({ policy: policy.name }, 'scheduler is up')
  await stopped(signal)
  dispatcher.stop()
  states.unsubscribe()
  service.stop()
  await running
  await bus.close()
}
