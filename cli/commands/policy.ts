/**
 * `volley policy [NAME]`: by which policy the schedulers decide, and another one while requests run.
 * @module
 */
import type { Client, SchedulerCard } from '../../runtime/client/mod.ts'
import { VolleyError } from '../../runtime/errors.ts'
import type { Command, Input } from '../command.ts'
import { withClient } from '../find-system.ts'
import { deciders } from './pools.ts'

/** Schedulers hear of it within milliseconds; each says so at once. */
const HEARD_MS = 5_000
const ASK_MS = 50

type Named = SchedulerCard & { name: string }

/** `volley policy`. */
export const policy: Command = {
  name: 'policy',
  summary: 'The policy that every scheduler decides by; with NAME, another one from now on, requests running or not',
  positionals: [{ name: 'NAME', help: 'a policy that the schedulers know (default: show)', optional: true }],
  flags: [
    { name: 'own', help: 'each scheduler goes back to its own --policy' },
    { name: 'reason', hint: 'TEXT', help: 'why, for those who look at the history' },
  ],
  settings: ['nats'],
  run: (input) =>
    withClient(input, async (client) => {
      const [name] = input.positionals
      if (name !== undefined && input.has('own')) {
        throw new VolleyError('invalid_flag', 'NAME and --own exclude each other', { param: 'own', remedy: 'give one' })
      }
      if (name !== undefined || input.has('own')) await change(client, input, name ?? null)
      const [wish, schedulers] = await Promise.all([client.policyWish(), client.schedulers()])
      input.output.data({ wish: wish ?? null, schedulers } as never, (await deciders(client)).join('\n'))
    }),
}

/** Waits until every scheduler has it. Errors: `policy_invalid`, `deadline`. */
async function change(client: Client, input: Input, wanted: string | null): Promise<void> {
  const lacks = wanted === null ? undefined : (await client.schedulers()).find(({ known }) => !known.includes(wanted))
  if (lacks) {
    throw new VolleyError('policy_invalid', `Scheduler ${lacks.name} knows no policy "${wanted}": it knows ${lacks.known.join(', ')}`, {
      param: 'NAME', remedy: 'name one of them; a policy of your own is named by --policy or --shadow when the schedulers start',
    })
  }
  await client.wishPolicy(wanted, input.text('reason') ?? 'by hand')
  const has = ({ policy: now, ownPolicy }: Named) => now === (wanted ?? ownPolicy)
  const end = performance.now() + HEARD_MS
  for (;;) {
    const late = (await client.schedulers()).filter((card) => !has(card))
    if (late.length === 0) return
    if (performance.now() > end) {
      const why = late.map(({ name, policy: now, problem }) => `${name} decides by ${now}${problem && ` (${problem})`}`).join(', ')
      throw new VolleyError('deadline', `Not every scheduler has changed: ${why}`, { remedy: 'see its log; the wish stays' })
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_MS))
  }
}
