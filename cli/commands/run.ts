/**
 * `volley run "PROMPT"`: one request, its text to stdout, a summary to stderr.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { startSystem } from '../../actors/supervisor/system.ts'
import { VolleyError } from '../../runtime/errors.ts'
import { locateModel } from '../../runtime/models/locate.ts'
import type { Command, Input } from '../command.ts'
import { complete } from '../complete.ts'
import { localSystem } from '../find-system.ts'
import { terminalProgress } from '../ui/progress.ts'
import { stopSignal } from '../ui/signals.ts'

/** `volley run`. */
export const run: Command = {
  name: 'run',
  summary: 'One request: to the system that runs here, else to one of its own for as long as it takes',
  positionals: [{ name: 'PROMPT', help: 'what to say' }],
  flags: [
    { name: 'url', hint: 'URL', help: 'a gateway that runs already' },
    { name: 'image', hint: 'FILE', help: 'a picture to look at' },
    { name: 'max-tokens', hint: 'N', help: 'most tokens to generate' },
    { name: 'temperature', hint: 'T', help: '0 = always the likeliest' },
    { name: 'seed', hint: 'N', help: 'the same seed gives the same text' },
  ],
  settings: ['model', 'engine', 'threads', 'dtype', 'context', 'apiKeys', 'logLevel'],
  async run(input) {
    const { output, positionals } = input
    const signal = stopSignal()
    const numbers = {
      maxTokens: number(input, 'max-tokens'),
      temperature: number(input, 'temperature'),
      seed: number(input, 'seed'),
    }
    const image = input.text('image')
    const options = {
      ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined)),
      ...(image !== undefined && { image: await dataUrl(image) }),
    }
    const { url, apiKey, stop } = await findOrStart(input, signal)
    try {
      let text = ''
      const onText = (piece: string) => output.json ? void (text += piece) : output.write(piece)
      const answer = await complete({
        url,
        prompt: positionals[0]!,
        onText,
        signal,
        ...options,
        ...(apiKey !== undefined && { apiKey }),
      })
      output.data({ ...answer, text }, '')
      const { id, promptTokens, outputTokens, ttftMs, totalMs, finish } = answer
      const tokens = `${promptTokens} + ${outputTokens} tokens`
      output.note(`${id}: ${tokens}, first text after ${ttftMs} ms, all in ${totalMs} ms (${finish})`)
    } finally {
      await stop()
    }
  },
}

interface Door {
  url: string
  apiKey: string | undefined
  stop: () => Promise<void>
}

/** A system that runs here and has the model that is wanted, else one of our own. */
async function findOrStart(input: Input, signal: AbortSignal): Promise<Door> {
  const { config } = await input.resolve()
  const apiKey = config.apiKeys[0]
  const url = input.text('url')
  if (url !== undefined) return { url: url.replace(/\/+$/, ''), apiKey, stop: async () => {} }
  const wanted = config.model === undefined ? undefined : await locateModel(config.model)
  const running = await localSystem()
  if (running && (wanted === undefined || wanted === running.model)) {
    return { url: running.http, apiKey, stop: async () => {} }
  }
  const own = { ...config, port: 0, host: '127.0.0.1', nats: undefined, instances: 1, labels: {} }
  const entry = new URL('../main.ts', import.meta.url)
  const system = await startSystem(own, { entry, signal, onLine: input.output.note, progress: terminalProgress() })
  return { url: system.http, apiKey, stop: () => system.stop(0) }
}

function number(input: Input, flag: string): number | undefined {
  const text = input.text(flag)
  if (text === undefined) return undefined
  if (text.trim() !== '' && Number.isFinite(Number(text))) return Number(text)
  throw new VolleyError('invalid_flag', `Cannot use --${flag}: "${text}" is no number`, {
    param: flag,
    remedy: `write --${flag} 1`,
  })
}

const TYPES: Record<string, string> = { '.png': 'png', '.jpg': 'jpeg', '.jpeg': 'jpeg', '.webp': 'webp', '.gif': 'gif' }

async function dataUrl(path: string): Promise<string> {
  const type = TYPES[extname(path).toLowerCase()]
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new VolleyError('invalid_flag', `Cannot read the image ${path}`, {
      param: 'image',
      cause,
      remedy: 'give the path of a picture',
    })
  })
  if (type === undefined) {
    throw new VolleyError('invalid_flag', `Cannot tell what kind of image ${path} is`, {
      param: 'image',
      remedy: `use one of ${Object.keys(TYPES).join(', ')}`,
    })
  }
  return `data:image/${type};base64,${bytes.toString('base64')}`
}
