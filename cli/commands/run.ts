/**
 * `volley run "PROMPT"`: one request, its text to stdout, a summary to stderr.
 * @module
 */
import { VolleyError } from '../../runtime/errors.ts'
import type { Command, Input } from '../command.ts'
import { complete } from '../complete.ts'
import { findOrStart } from '../find-door.ts'
import { dataUrl } from '../image.ts'
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

function number(input: Input, flag: string): number | undefined {
  const text = input.text(flag)
  if (text === undefined) return undefined
  if (text.trim() !== '' && Number.isFinite(Number(text))) return Number(text)
  throw new VolleyError('invalid_flag', `Cannot use --${flag}: "${text}" is no number`, {
    param: flag,
    remedy: `write --${flag} 1`,
  })
}
