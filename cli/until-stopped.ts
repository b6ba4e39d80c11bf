/**
 * A system in the foreground: says its addresses once they are known, and stops when a signal or its work says so.
 * @module
 */
import process from 'node:process'
import { startSystem, type System } from '../actors/supervisor/system.ts'
import type { Config } from '../runtime/config/mod.ts'
import type { Input } from './command.ts'
import { terminalProgress } from './ui/progress.ts'
import { onStopSignals } from './ui/signals.ts'

/** Starts the system, does `work` on it, and stops it when the work is done or a signal says so. */
export async function untilStopped(
  input: Input,
  config: Config,
  work: (system: System) => Promise<void>,
  entry: URL = new URL('./main.ts', import.meta.url),
): Promise<void> {
  const { output } = input
  const stop = new AbortController()
  let hurry = (): void => process.exit(130)
  onStopSignals(() => stop.abort(), () => hurry())
  const system = await startSystem(config, {
    entry,
    signal: stop.signal,
    progress: terminalProgress(),
    onNats: (nats) => output.data({ nats }, `nats ${nats}`),
    onLine: output.note,
  }).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error
    process.exit(130)
  })
  let isHurried = false
  hurry = () => {
    isHurried = true
    // What goes wrong in it, the stop that it hurries says.
    void system.stop(0).catch(() => {})
  }
  output.data({ ready: system.http }, `ready ${system.http}`)
  const stopped = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }))
  try {
    await Promise.race([stopped, work(system)])
  } finally {
    await system.stop(config.graceMs)
    // Here alone, since of two stops at once either may end first.
    if (isHurried) process.exit(130)
  }
}
