/**
 * Ports: a free one, and whether a wanted one is free. Between the answer and its use another process may take it; who
 * then fails to listen says so.
 * @module
 */
import { createServer } from 'node:net'
import { VolleyError } from '../../runtime/errors.ts'

/** A port nobody listens on now; chosen once, so that a process that is started again keeps its address. */
export const freePort = (host: string): Promise<number> => listenOnce(host, 0)

/** Errors: `port_taken`; `invalid_flag` for an address that is not this machine's. */
export async function checkPort(host: string, port: number): Promise<number> {
  try {
    return await listenOnce(host, port)
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new VolleyError('invalid_flag', `Cannot listen on ${host}: it is no address of this machine`, {
        param: 'host',
        remedy: 'give --host 127.0.0.1 for this machine only, or --host 0.0.0.0 for all its networks',
      })
    }
    const allowed = code !== 'EACCES'
    throw new VolleyError(
      'port_taken',
      `Cannot listen on ${host}:${port}: ${allowed ? 'the port is taken' : 'not allowed'}`,
      {
        param: 'port',
        cause: error,
        remedy: 'give another one, such as --port 0 for any that is free',
      },
    )
  }
}

function listenOnce(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port))
    })
  })
}
