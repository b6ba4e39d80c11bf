/**
 * Work that would disturb its like in another process of this machine: one does it, the others wait. A courtesy, no
 * mutual exclusion: who has waited long enough goes on.
 * @module
 */
import { readlink, rm, symlink } from 'node:fs/promises'
import process from 'node:process'
import { realClock, sleep } from '../../runtime/clock.ts'
import { isAlive } from '../../runtime/platform.ts'

const POLL_MS = 100

/** Does `work` while the link `lock` is this process's, or when `timeoutMs` is over. Rejects with the signal's reason. */
export async function oneAtATime<T>(
  lock: string,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  const end = realClock.now() + timeoutMs
  let held = await take(lock)
  while (!held && realClock.now() < end) {
    await sleep(realClock, POLL_MS, signal)
    held = await take(lock)
  }
  try {
    return await work()
  } finally {
    if (held) await rm(lock, { force: true }).catch(() => undefined)
  }
}

/**
 * A link that leads nowhere, but tells whose it is: made with its content in one go. One that cannot be made is nobody's:
 * where there is no cache, nothing waits.
 */
async function take(lock: string): Promise<boolean> {
  try {
    await symlink(String(process.pid), lock)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return true
  }
  const holder = Number(await readlink(lock).catch(() => ''))
  if (holder > 0 && !isAlive(holder)) await rm(lock, { force: true }).catch(() => undefined)
  return false
}
