/**
 * Watches a running system: every state that any request enters, as it happens, one line each.
 *
 *     node examples/01-follow-requests/main.ts nats://127.0.0.1:4222
 *
 * `volley serve` prints the address of its nats-server. Ends by Ctrl-C.
 */
import process from 'node:process'
import { connect, type Transition } from '../../mod.ts'

const nats = process.argv[2] ?? process.env['NATS_URL'] ?? 'nats://127.0.0.1:4222'
const client = await connect({ nats })

/** When each request was last heard of, for the milliseconds between its states. */
const lastMs = new Map<string, number>()

function print({ id, state, instance, attempt, atMs }: Transition): void {
  const after = atMs - (lastMs.get(id) ?? atMs)
  const where = instance === '' ? '' : `  on ${instance}`
  process.stdout.write(`${id}  ${state.padEnd(10)}  +${after} ms  attempt ${attempt}${where}\n`)
  if (['done', 'failed', 'cancelled'].includes(state)) lastMs.delete(id)
  else lastMs.set(id, atMs)
}

const stop = client.follow(print)
process.stdout.write(`following ${nats}\n`)
process.once('SIGINT', async () => {
  stop()
  await client.close()
})
