/**
 * `volley explain ID`: the decisions made about one request, in plain words: who could have had it, who got it and why,
 * what was expected and what came of it.
 * @module
 */
import type { LedgerEntry } from '../../runtime/client/mod.ts'
import type { Command } from '../command.ts'
import { withClient } from '../find-system.ts'
import { notFound } from './trace.ts'

type Event = { state: string; atMs: number; detail?: unknown } & Record<string, unknown>

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
        const actualMs = actualOf(entry, request.history)
        input.output.data({ ...entry, ...(actualMs === undefined ? {} : { actualMs, errorMs: errorOf(entry, actualMs) }) }, words(entry, actualMs))
      }
    }),
}

/** What the prediction was about: prefill's compute with its wait, decode's time a token. */
function actualOf(entry: LedgerEntry, history: readonly Event[]): number | undefined {
  const after = history.filter((event) => event.atMs >= entry.atMs - 1_000)
  const find = (field: string) => after.map((event) => (event.detail as Record<string, unknown> | undefined)?.[field]).find((value) => typeof value === 'number')
  if (entry.phase === 'prefill') return find('computeMs') as number | undefined
  if (entry.phase === 'decode' || entry.phase === 'transfer') return find('perTokenMs') as number | undefined
  return undefined
}

const errorOf = ({ predictedMs }: LedgerEntry, actualMs: number): number | undefined =>
  predictedMs === undefined ? undefined : Math.round((predictedMs - actualMs) * 1000) / 1000

function words(entry: LedgerEntry, actualMs: number | undefined): string {
  const { phase, policy, instance, reason, scores, predictedMs, outcome, flips, shadow } = entry
  const ms = (value: number | undefined) => (value === undefined ? 'unknown' : `${value.toFixed(1)} ms`)
  const others = Object.entries(scores).map(([name, score]) => `${name} ${typeof score === 'number' ? score.toFixed(1) : score.map((s) => s.toFixed(1)).join('/')}`)
  const lines = [
    `${phase}: ${policy} gave it to ${instance || 'nobody'} (${reason}); it was ${outcome}`,
    `  candidates ${others.join(', ') || 'none'}; expected ${ms(predictedMs)}, took ${ms(actualMs)}`,
    ...flips.map((f) => `  flipped ${f.instance} to ${f.label}: ${f.reason}`),
    ...(shadow ? [`  shadow ${shadow.policy} ${shadow.instance === instance ? 'agrees' : `would have taken ${shadow.instance || 'nobody'}`} (${shadow.reason})`] : []),
  ]
  return lines.join('\n')
}
