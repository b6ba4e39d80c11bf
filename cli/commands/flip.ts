/**
 * `volley flip INSTANCE LABEL` and `volley drain INSTANCE`: steering by hand. Neither touches work that is there.
 * @module
 */
import { VolleyError } from '../../runtime/errors.ts'
import { LABELS } from '../../runtime/policy/policy.ts'
import type { Command } from '../command.ts'
import { withClient } from '../find-system.ts'

/** For one phase, for two that share an instance, or for any. */
const NAMES = [...LABELS, 'any'] as const

/** `volley flip`. */
export const flip: Command = {
  name: 'flip',
  summary: 'Label an instance for some phases, or any; what it works on stays there',
  positionals: [{ name: 'INSTANCE', help: 'its id: see `volley pools`' }, { name: 'LABEL', help: 'encode, prefill, decode, two of them as in encode+prefill, or any' }],
  flags: [
    { name: 'reason', hint: 'TEXT', help: 'why, for those who look at the history' },
    { name: 'force', help: 'even if its label is young, or nobody would be left for a phase' },
  ],
  settings: ['nats'],
  run: (input) =>
    withClient(input, async (client) => {
      const [instance, wanted] = input.positionals as [string, string]
      const label = NAMES.find((name) => takenAs(name) === takenAs(wanted))
      if (label === undefined) {
        throw new VolleyError('invalid_flag', `Cannot label an instance "${wanted}"`, { param: 'LABEL', remedy: `use one of: ${NAMES.join(', ')}` })
      }
      const options = { reason: input.text('reason') ?? 'by hand', force: input.has('force') }
      const made = await client.flip(instance, label === 'any' ? null : label, options)
      if (made === undefined) throw unknown(instance)
      if (made.status === 'refused') {
        throw new VolleyError('flip_refused', `Cannot label ${instance} ${label}: ${made.why}`, { param: 'INSTANCE', remedy: 'wait, or give --force' })
      }
      const words = `${instance} takes ${label === 'any' ? 'any phase' : label} ${made.status === 'same' ? 'already' : 'from now on'}`
      input.output.data({ instance, label, outcome: made.status }, words)
    }),
}

/** `volley drain`. */
export const drain: Command = {
  name: 'drain',
  summary: 'No new work for an instance; what it works on is finished there',
  positionals: [{ name: 'INSTANCE', help: 'its id: see `volley pools`' }],
  flags: [{ name: 'undo', help: 'new work again' }],
  settings: ['nats'],
  run: (input) =>
    withClient(input, async (client) => {
      const instance = input.positionals[0]!
      const on = !input.has('undo')
      if (!(await client.drain(instance, on))) throw unknown(instance)
      input.output.data({ instance, draining: on }, `${instance} takes ${on ? 'no new work' : 'new work again'}`)
    }),
}

/** Order does not matter: `prefill+encode` is `encode+prefill`. */
const takenAs = (label: string): string => label.split('+').sort().join('+')

const unknown = (instance: string): VolleyError =>
  new VolleyError('no_instance', `There is no instance "${instance}"`, { param: 'INSTANCE', remedy: 'see `volley pools` for those that live' })
