/**
 * `volley start`, which `npm start` runs: `serve`, and one request, so that the first command shows what happens. A model
 * that sees is shown a picture.
 * @module
 */
import { join, relative } from 'node:path'
import process from 'node:process'
import type { System } from '../../actors/supervisor/system.ts'
import type { RequestDetails } from '../../runtime/client/mod.ts'
import type { Config } from '../../runtime/config/mod.ts'
import { projectRoot } from '../../runtime/platform.ts'
import type { Command, Input } from '../command.ts'
import { complete, requestDetails, servedModel } from '../complete.ts'
import { dataUrl } from '../image.ts'
import { renderRoad, roadOf } from '../ui/road.ts'
import { untilStopped } from '../until-stopped.ts'
import { PRINT_CONFIG, printConfig, SERVE_SETTINGS } from './serve.ts'

/** What a model is asked that reads, and one that sees. */
const QUESTION = 'What is Volley?'
const PICTURE = { path: join(projectRoot, 'models', 'pictures', 'shapes.png'), question: 'Describe the picture.' }
const MAX_TOKENS = 60
const DEMO_MS = 120_000

/** `volley start`. */
export const start: Command = {
  name: 'start',
  summary: 'Serve, send one request, and show its answer and the road it took',
  flags: [{ name: 'once', help: 'take a free port, and stop after that request' }, PRINT_CONFIG],
  settings: SERVE_SETTINGS,
  async run(input) {
    const once = input.has('once')
    const resolved = await input.resolve({ labels: { prefill: 1, decode: 1 }, ...(once && { port: 0 }) })
    if (input.has('print-config')) return printConfig(input, resolved)
    await untilStopped(input, resolved.config, async (system) => {
      await demo(input, resolved.config, system)
      if (!once) await new Promise(() => {})
    })
  },
}

async function demo({ output }: Input, config: Config, { http }: System): Promise<void> {
  const apiKey = config.apiKeys[0]
  const to = { url: http, signal: AbortSignal.timeout(DEMO_MS), ...(apiKey !== undefined && { apiKey }) }
  const { id: model, sees } = await servedModel(to)
  const prompt = sees ? PICTURE.question : QUESTION
  const picture = sees ? relative(process.cwd(), PICTURE.path) : undefined
  if (!output.json) output.write(`\n> ${picture ? `${picture}: ` : ''}${prompt}\n`)
  let text = ''
  const answer = await complete({
    ...to,
    model,
    prompt,
    ...(sees && { image: await dataUrl(PICTURE.path) }),
    maxTokens: MAX_TOKENS,
    temperature: 0,
    onText(piece) {
      text += piece
      if (!output.json) output.write(piece)
    },
  })
  const { history } = await requestDetails<RequestDetails>(to, answer.id)
  const road = roadOf(history)
  const ask = `curl ${http}/v1/chat/completions -H 'content-type: application/json' ` +
    `-d '{"model":"${answer.model}","messages":[{"role":"user","content":"Hello"}]}'`
  output.data(
    { ...answer, prompt, ...(picture && { picture }), text, road },
    `\n\n${
      renderRoad(answer.id, road)
    }\nfirst text after ${answer.ttftMs} ms, ${answer.outputTokens} tokens in ${answer.totalMs} ms\n\n${ask}`,
  )
}
