/**
 * A role that computes nothing: a process with the manners of a real one, for tests of the supervisor. `TOY_<ROLE>`
 * says how it misbehaves.
 * @module
 */
import { createServer } from 'node:http'
import process from 'node:process'
import { resolveConfig } from '../../../../runtime/config/mod.ts'
import { endWithParent, onParentLine } from '../../../../runtime/platform.ts'

const role = process.argv[2] ?? ''
endWithParent()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

switch (process.env[`TOY_${role.toUpperCase()}`]) {
  case 'no-model':
    process.stderr.write('Cannot find model /no/such/model: no such file. To fix: give another [model_file_missing]\n')
    process.exit(3)
    break
  case 'crash':
    process.stderr.write('Cannot start: out of luck. To fix: be lucky [engine_failed]\n')
    process.exit(1)
    break
  case 'deaf':
    onParentLine(() => {})
    setInterval(() => {}, 1000)
    break
  default:
    if (role === 'gateway') await serveHttp()
    else onParentLine((line) => line === 'stop' && process.exit(0))
    setInterval(() => {}, 1000)
}

/** Answers everything, `?ms=N` after N milliseconds, with how much is open. Told to stop, it first answers what it has. */
async function serveHttp(): Promise<void> {
  const { config } = await resolveConfig({ env: process.env })
  let open = 0
  const server = createServer((request, response) => {
    open++
    response.once('close', () => open--)
    const ms = Number(new URL(request.url ?? '', 'http://toy').searchParams.get('ms') ?? 0)
    response.setHeader('connection', 'close')
    if (process.env['TOY_GATEWAY'] === 'never-ready') response.statusCode = 503
    setTimeout(() => response.end(JSON.stringify({ pid: process.pid, nats: config.nats, instances: 99, open })), ms)
  })
  server.listen(config.port, config.host)
  onParentLine((line) => {
    if (line === 'stop') server.close(() => process.exit(0)).closeIdleConnections()
  })
}
