/**
 * `volley pools`: instances, what each is labelled for, since when, by whom and why, what it has to do, and how far its
 * predictions were off; then who decides.
 * @module
 */
import { type Accuracy, type Client, shadowSummary } from '../../runtime/client/mod.ts'
import { dwellLeftMs } from '../../runtime/machine/label.ts'
import { iterationMs, prefillMs } from '../../runtime/policy/profile.ts'
import type { Command } from '../command.ts'
import { withClient } from '../find-system.ts'

const COLUMNS = [
  'instance', 'label', 'state', 'engine', 'prefill tok/s', 'decode tok/s', 'jobs', 'tiles', 'prefills', 'decodes', 'kv', 'flips', 'since', 'by', 'reason',
  'dwell left', 'ttft error', 'tpot error',
]
/** Tokens of the prompt for which rates are shown. */
const PROMPT = 256

const rate = (tokens: number, ms: number): number => Math.round((tokens * 1000) / ms)

/** `volley pools`. */
export const pools: Command = {
  name: 'pools',
  summary: 'Instances now: label, load, how the labels came about, how far predictions were off; and which policy decides',
  settings: ['nats'],
  run: (input) =>
    withClient(input, async (client) => {
      const nowMs = Date.now()
      const rows = await Promise.all((await client.instances()).map(async ({ id, state, label, load, engine, encode, profile, jobs, holds }) => {
        const [history, accuracy] = await Promise.all([client.labels(id), client.accuracy(id)])
        const last = history.at(-1)
        return {
          instance: id, label: label ?? 'any', state, engine: engine.backend, jobs, holds,
          // What policies reckon with, at one length and for one sequence.
          'prefill tok/s': rate(PROMPT, prefillMs(profile, PROMPT)),
          'decode tok/s': rate(1, iterationMs(profile, 0, 0, PROMPT, 1)),
          profile,
          tiles: encode?.tiles ?? '', prefills: load.prefillsWaiting, decodes: load.decodesRunning,
          kv: `${engine.blocksTotal - load.blocksFree} of ${engine.blocksTotal} blocks`,
          flips: last?.flips ?? 0, since: last?.since ?? '', by: last?.by ?? '', reason: last?.reason ?? '',
          'dwell left': last === undefined ? '' : seconds(dwellLeftMs(last, nowMs)),
          'ttft error': words(accuracy['prefill']), 'tpot error': words(accuracy['decode']),
          accuracy, history,
        }
      }))
      input.output.table(rows, COLUMNS)
      if (!input.output.json) input.output.write((await deciders(client)).map((line) => `${line}\n`).join(''))
    }),
}

const seconds = (ms: number): string => (ms === 0 ? '' : `${(ms / 1000).toFixed(1)} s`)
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`

/** `p50 8 %, p90 31 %, bias -4 % of 120`: relative to what it was in the end. */
const words = (accuracy: Accuracy | undefined): string =>
  accuracy === undefined || accuracy.count === 0
    ? ''
    : `p50 ${percent(accuracy.p50)}, p90 ${percent(accuracy.p90)}, bias ${percent(accuracy.bias)} of ${accuracy.count}`

/** Who decides by which policy, and what shadows make of it: a line each. */
export async function deciders(client: Client): Promise<string[]> {
  const [wish, cards, admissions] = await Promise.all([client.policyWish(), client.schedulers(), client.admissions()])
  const wanted = wish === undefined || wish.policy === null ? [] : [`operator wants ${wish.policy} since ${wish.since}: ${wish.reason}`]
  const each = cards.flatMap(({ name, policy, ownPolicy, problem, dwellMs, cooldownMs, placed, flips, shadow }) => {
    const own = policy === ownPolicy ? '' : ` (its own is ${ownPolicy})`
    const times = `a label lasts ${dwellMs} ms, cooldown ${cooldownMs} ms`
    const head = `${name} decides by ${policy}${own}; ${placed} placed, ${flips} flips; ${times}${problem && `; PROBLEM: ${problem}`}`
    const shadows = shadow === null ? [] : shadowSummary(shadow.tallies).map((s) =>
      `  shadow ${shadow.policy}, ${s.phase}: agrees on ${percent(s.agreement)} of ${s.decisions}; expected ${s.shadowMeanMs.toFixed(1)} ms ` +
      `where ${shadow.against} expected ${s.realMeanMs.toFixed(1)} ms: gain ${s.gainMs.toFixed(1)} ms`
    )
    return [head, ...shadows]
  })
  const gateways = admissions.map(({ gateway, ...accuracy }) => `${gateway} expects first tokens with an error of ${words(accuracy)}`)
  return [...wanted, ...each, ...gateways]
}
