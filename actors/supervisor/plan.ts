/**
 * Which processes a system on one machine consists of, and the config of each. Pure.
 * @module
 */
import type { Config, PhaseLabel, Role } from '../../runtime/config/mod.ts'

/** One process to be. */
export interface PlannedProcess {
  role: Role
  /** Unique in the fleet. */
  name: string
  config: Config
}

/** What the whole is told besides its config. */
export interface PlanOptions {
  /** Part of every name: several machines may share one nats-server. */
  id: string
  nats: string
  port: number
}

/** Gateway, scheduler, and as many processes as the instances need. */
export function planProcesses(config: Config, { id, nats, port }: PlanOptions): PlannedProcess[] {
  const shared = { ...config, nats, port }
  const one = { instances: 1, labels: {} }
  const plan: PlannedProcess[] = [
    { role: 'gateway', name: `gateway-${id}`, config: { ...shared, ...one } },
    { role: 'scheduler', name: `scheduler-${id}`, config: { ...shared, ...one } },
  ]
  const labels = labelOfEach(config)
  for (let first = 0; first < config.instances; first += config.perProcess) {
    const own = labels.slice(first, first + config.perProcess)
    plan.push({
      role: 'instance',
      name: `instance-${id}-${first / config.perProcess}`,
      config: { ...shared, instances: own.length, labels: countLabels(own) },
    })
  }
  return plan.map((process) => ({ ...process, config: { ...process.config, name: process.name } }))
}

/**
 * Threads of an instance when nobody said: its share of the cores where its engine can use them. An engine that cannot
 * is told nothing.
 */
export function shareOfCores({ engine, instances, threads }: Config, cores: number): number | undefined {
  const canUse = Object.values(engine).includes('tensorflow')
  return threads ?? (canUse ? Math.max(1, Math.floor(cores / instances)) : undefined)
}

/** The label of every instance, labelled ones first. */
function labelOfEach({ labels, instances }: Config): (PhaseLabel | undefined)[] {
  const each = (Object.entries(labels) as [PhaseLabel, number][]).flatMap(([label, n]) =>
    Array<PhaseLabel>(n).fill(label)
  )
  return Array.from({ length: instances }, (_, i) => each[i])
}

function countLabels(labels: readonly (PhaseLabel | undefined)[]): Config['labels'] {
  const counts: Config['labels'] = {}
  for (const label of labels) if (label !== undefined) counts[label] = (counts[label] ?? 0) + 1
  return counts
}
