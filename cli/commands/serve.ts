/**
 * `volley serve`: everything on one machine.
 * @module
 */
import process from 'node:process'
import { startSystem, type System } from '../../actors/supervisor/system.ts'
import { type Config, describeConfig, type Resolved } from '../../runtime/config/mod.ts'
import { ALL_SETTINGS, type Command, type Input } from '../command.ts'
import { terminalProgress } from '../ui/progress.ts'
import { onStopSignals } from '../ui/signals.ts'

/** Settings of `serve`: a name is a single process's. */
export const SERVE_SETTINGS: (keyof Config)[] = ALL_SETTINGS.filter((key) => key !== 'name')
/** `--print-config`. */
export const PRINT_CONFIG = { name: 'print-config', help: 'show every setting and where it came from, and stop' }

/** `volley serve`. */
export const serve: Command = {
  name: 'serve',
  summary: 'Everything on one machine: nats-server (unless --nats), gateway, scheduler, instances',
  flags: [PRINT_CONFIG],
  settings: SERVE_SETTINGS,
  async run(input) {
    const resolved = await input.resolve()
    if (input.has('print-config')) return printConfig(input, resolved)
    await untilStopped(input, resolved.config, () => new Promise(() => {}))
  },
}

/** Shows the settings instead of running. */
export function printConfig({ output }: Input, resolved: Resolved): void {
  const rows = describeConfig(resolved)
  const records = rows.map(({ key, value, shown, origin }) => ({ key, value: output.json ? value : shown, origin }))
  output.table(records, ['key', 'value', 'origin'])
}

/** Starts the system, does `work` on it, and stops it when the work is done or a signal says so. */
export async function untilStopped(
  input: Input,
  config: Config,
  work: (system: System) => Promise<void>,
  entry: URL = new URL('../main.ts', import.meta.url),
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
  hurry = () => void system.stop(0).then(() => process.exit(130))
  output.data({ ready: system.http }, `ready ${system.http}`)
  const stopped = new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }))
  try {
    await Promise.race([stopped, work(system)])
  } finally {
    await system.stop(config.graceMs)
  }
}
