/**
 * Unix sockets of a process: short paths in the temporary folder, for the owner's eyes only, removed at the end; those
 * that dead processes left are swept.
 * @module
 */
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { randomBytes } from 'node:crypto'
import { isAlive } from '../platform.ts'
import type { Offers } from './offers.ts'
import { serveSockets } from './socket-server.ts'

/** The kernel's limit for a path, with its end. */
const MAX_PATH_BYTES = 104
const NAME = /^volley-(\d+)-[0-9a-f]{8}\.sock$/

/** Whether this platform has sockets with a path in the file system. */
export const hasUnixSockets: boolean = process.platform !== 'win32'

/** The temporary folder, unless its path is too long for a socket in it. */
function folder(): string {
  const candidate = tmpdir()
  return Buffer.byteLength(candidate) + 40 < MAX_PATH_BYTES ? candidate : '/tmp'
}

/** Listens on a path of its own. */
export async function serveUnix(offers: Offers, stallMs: number): Promise<{ path: string; close(): Promise<void> }> {
  await sweepStale()
  const path = join(folder(), `volley-${process.pid}-${randomBytes(4).toString('hex')}.sock`)
  const server = await serveSockets(offers, { path }, stallMs)
  chmodSync(path, 0o600)
  const remove = (): void => rmSync(path, { force: true })
  process.once('exit', remove)
  return {
    path,
    async close() {
      process.off('exit', remove)
      await server.close()
      remove()
    },
  }
}

/** Removes sockets whose process is dead and on which nobody listens (process numbers differ between containers). */
export async function sweepStale(): Promise<void> {
  for (const name of readdirSync(folder())) {
    const pid = Number(NAME.exec(name)?.[1] ?? 0)
    if (pid === 0 || isAlive(pid)) continue
    const path = join(folder(), name)
    if (!(await answers(path))) rmSync(path, { force: true })
  }
}

function answers(path: string): Promise<boolean> {
  if (!existsSync(path)) return Promise.resolve(false)
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
