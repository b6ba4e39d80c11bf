/**
 * `volley explain ID`: the decisions made about one request, in plain words: who could have had it, who got it and why,
 * what was expected and what came of it.
 * @module
 */
import type { LedgerEntry } from '../../runtime/client/mod.ts'
import type { Command } from '../command.ts'
import { withClient } from '../find-system.ts'
import { notFound } from './trace.ts'

/** `volley explain ID`. */
export const explain: Command = {
  name: 'explain',
  summary: 'The decisions made about a request: candidates, scores, predicted against actual',
  positionals: [{ name: 'ID', help: 'id of the request: the x-request-id header of its answer' }],
  settings: ['nats'],
  run: (input) =>
    withClient(input, async (client) => {
      const id = input.positionals[0]!
      const [request, decisions] = await Promise.all([client.request(id), client.decisions(id)])
      if (!request) throw notFound(id)
      for (const entry of decisions) {
        input.output.data({ ...entry, ...(errorOf(entry) === undefined ? {} : { error: errorOf(entry) }) } as never, words(entry))
      }
    }),
}

/** Relative to what it was in the end. */
const errorOf = ({ predictedMs, actualMs }: LedgerEntry): number | undefined =>
  predictedMs === undefined || actualMs === undefined || actualMs === 0
    ? undefined
    : Math.round(((predictedMs - actualMs) / actualMs) * 1000) / 1000

function words(entry: LedgerEntry): string {
  const { phase, policy, instance, reason, scores, predictedMs, actualMs, outcome, flips, shadow, tiles, alongside = [] } = entry
  const error = errorOf(entry)
  const what = phase === 'encode' ? ' for its tiles' : phase === 'prefill' ? ' to the first token' : ' a token'
  const ms = (value: number | undefined) => (value === undefined ? 'unknown' : `${value.toFixed(1)} ms`)
  const others = Object.entries(scores).map(([name, score]) => `${name} ${typeof score === 'number' ? score.toFixed(1) : score.map((s) => s.toFixed(1)).join('/')}`)
  const lines = [
    phase === 'admit'
      ? `${phase}: ${instance} took it (${reason})`
      : `${phase}: ${policy} gave it to ${instance || 'nobody'} (${reason}); it was ${outcome}`,
    ...(tiles === undefined ? [] : [`  ${tiles} tiles, ${alongside.length === 0 ? 'by it alone' : `with ${alongside.join(', ')}`}`]),
    `  candidates ${others.join(', ') || 'none'}`,
    `  expected ${ms(predictedMs)}${what}, it was ${ms(actualMs)}` +
    `${error === undefined ? '' : `: ${Math.abs(100 * error).toFixed(0)} % too ${error > 0 ? 'much' : 'little'}`}`,
    ...flips.map((f) => `  flip of ${f.instance} to ${f.label} (${f.reason}): ${f.outcome}`),
    ...(shadow ? [`  shadow ${shadow.policy} ${shadowWords(shadow, instance)} (${shadow.reason})`] : []),
  ]
  return lines.join('\n')
}

const shadowWords = ({ instance, predictedMs }: NonNullable<LedgerEntry['shadow']>, chosen: string): string =>
  instance === chosen ? 'agrees' : `would have taken ${instance || 'nobody'}${predictedMs === undefined ? '' : `, expecting ${predictedMs.toFixed(1)} ms`}`
