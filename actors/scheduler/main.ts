/**
 * The scheduler's process: places hops by its policy. It keeps nothing a request needs; run as many as you like.
 * @module
 */
import { subjects } from '../../runtime/bus/subjects.ts'
import { inspectOne } from '../../runtime/client/inspect.ts'
import { realClock } from '../../runtime/clock.ts'
import type { Config } from '../../runtime/config/mod.ts'
import { newId } from '../../runtime/ids.ts'
import type { Json } from '../../runtime/json.ts'
import { logger } from '../../runtime/observe/log.ts'
import { policyNamed } from '../policies.ts'
import { joinBus, listService, stopped } from '../process.ts'
import { Scheduler } from './scheduler.ts'

/** Runs until the signal fires. Errors: `policy_invalid`, `bus_unreachable`, `server_too_old`. */
export async function runScheduler(config: Config, signal: AbortSignal): Promise<void> {
  const policy = await policyNamed(config.policy)
  const shadow = config.shadow === undefined ? undefined : await policyNamed(config.shadow)
  const name = config.name ?? newId('scheduler')
  const log = logger(config, { scheduler: name })
  const bus = await joinBus(config, name, signal)
  const { ttft = Infinity, tpot = Infinity } = config.slo
  const { dwell, cooldown } = config.flips
  const scheduler = new Scheduler({
    bus, clock: realClock, name, policy, shadow,
    slo: { ttftMs: ttft, tpotMs: tpot },
    times: { ...(dwell !== undefined && { dwellMs: dwell }), ...(cooldown !== undefined && { cooldownMs: cooldown }) },
    onDecided: (entry) => log.debug({ ...entry }, 'decided'),
    onFlip: (entry) => log.info({ ...entry }, 'flip'),
    onPolicy: (wanted, wish) => log.warn({ ...wish }, `decides by ${wanted} from now on`),
    onError: (error) => log.error({ err: error }, 'dispatch'),
  })
  const states = bus.subscribe(subjects.allRequestStates, (message) => {
    void inspectOne(bus, message.subject.split('.')[3]!).then(
      (found) => message.respond(JSON.stringify(found ?? { state: 'unknown' })),
      (error) => log.error({ err: error }, 'request state'),
    )
  }, { queue: 'states' })
  await scheduler.start()
  const service = listService(bus, 'scheduler', `scheduler ${name}, policy ${policy}`, [{
    name: 'state',
    subject: subjects.allRequestStates,
    data: (): Json => ({ ...scheduler.card(), instances: scheduler.cluster.view().instances.length } as unknown as Json),
  }])
  log.info({ policy }, 'scheduler is up')
  await stopped(signal)
  await scheduler.stop()
  states.unsubscribe()
  service.stop()
  await bus.close()
}
