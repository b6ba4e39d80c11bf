/**
 * Before the tests: a nats-server, found or fetched as `volley serve` does it. Where none can be had, the tests that
 * need one say so and are skipped.
 * @module
 */
import process from 'node:process'
import { ensureServer } from '../../actors/supervisor/nats-server/mod.ts'
import { terminalProgress } from '../../cli/ui/progress.ts'
import { toVolleyError } from '../../runtime/errors.ts'

/** Names the server for every test process, which inherits the environment. */
export default async function setup(): Promise<void> {
  if (process.env['NATS_SERVER']) return
  try {
    process.env['NATS_SERVER'] = (await ensureServer(terminalProgress())).path
  } catch (error) {
    process.stderr.write(`${toVolleyError(error).toLine()}\n`)
  }
}
