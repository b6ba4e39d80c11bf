/**
 * `volley serve`: everything on one machine.
 * @module
 */
import { type Config, describeConfig, type Resolved } from '../../runtime/config/mod.ts'
import { ALL_SETTINGS, type Command, type Input } from '../command.ts'
import { untilStopped } from '../until-stopped.ts'

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
