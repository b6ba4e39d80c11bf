/**
 * Starts {@link file://./transfer-child.ts} and talks to it.
 * @module
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { selfCommand } from '../runtime/platform.ts'
import type { ChildWord } from './transfer-child.ts'

const CHILD = fileURLToPath(new URL('./transfer-child.ts', import.meta.url))

export interface TransferChild {
  readonly pid: number
  /** One word, one answer, in turn. Rejects with the child's error, or when the child is gone. */
  say<T>(word: ChildWord): Promise<T>
  /** SIGKILL. */
  kill(): Promise<void>
  /** Lets it close its plane and end. */
  close(): Promise<void>
}

/** Resolves when the child serves. `verify: false` leaves hashing out, for figures of the transfer alone. */
export async function transferChild(
  server: string,
  owner: string,
  { stallMs = 5_000, verify = true } = {},
): Promise<TransferChild> {
  const { command, args } = selfCommand(CHILD, [server, owner, String(stallMs), verify ? 'yes' : 'no'])
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async <T>(): Promise<T> => {
    const { value, done } = await lines.next()
    if (done) throw Object.assign(new Error('the child is gone'), { code: 'gone' })
    const { result, error } = JSON.parse(value) as { result: T; error?: { message: string } }
    if (error) throw Object.assign(new Error(error.message), error)
    return result
  }
  await answer()
  return {
    pid: child.pid ?? 0,
    say(word) {
      child.stdin.write(JSON.stringify(word) + '\n')
      return answer()
    },
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
    async close() {
      child.stdin.end()
      await gone
    },
  }
}
