/**
 * A gateway for one request: the one that is named, the one that runs here with the model that is wanted, else one of
 * our own for as long as it takes.
 * @module
 */
import { startSystem } from '../actors/supervisor/system.ts'
import { locateModel } from '../runtime/models/locate.ts'
import type { Input } from './command.ts'
import { localSystem } from './find-system.ts'
import { terminalProgress } from './ui/progress.ts'

/** How to reach it, and how to leave it. */
export interface Door {
  url: string
  apiKey: string | undefined
  stop: () => Promise<void>
}

/** Takes `--url`, settings for a system of our own, and `--api-key`. Errors: those of starting a system. */
export async function findOrStart(input: Input, signal: AbortSignal): Promise<Door> {
  const { config } = await input.resolve()
  const apiKey = config.apiKeys[0]
  const url = input.text('url')
  if (url !== undefined) return { url: url.replace(/\/+$/, ''), apiKey, stop: async () => {} }
  const wanted = config.model === undefined ? undefined : await locateModel(config.model)
  const running = await localSystem('url')
  if (running && (wanted === undefined || wanted === running.model)) {
    return { url: running.http, apiKey, stop: async () => {} }
  }
  const own = { ...config, port: 0, host: '127.0.0.1', nats: undefined, instances: 1, labels: {} }
  const entry = new URL('./main.ts', import.meta.url)
  const system = await startSystem(own, { entry, signal, onLine: input.output.note, progress: terminalProgress() })
  return { url: system.http, apiKey, stop: () => system.stop(0) }
}
