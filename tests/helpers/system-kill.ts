/**
 * Processes that die while a request is in a chosen phase on them, and the proof that they did: a blow that came too early
 * or too late is tried again, and in the end fails the test.
 * @module
 */
import type { RequestDetails, Transition } from '../../runtime/client/mod.ts'
import { eventually, type System } from './system.ts'
import type { Question, Reply } from './system-http.ts'
import { phaseOf } from './system-watch.ts'

const TRIES = 6
/** A source that was stopped before it queued the transfer cannot queue it: then this try has missed. */
const CLAIM_MS = 1_500

/** What came of a request during which something was killed. */
export interface Survivor {
  reply: Reply
  request: RequestDetails
  /** Tries until the blow fell within the phase. */
  tries: number
}

/** Claims of a phase, in order: those of one epoch come after a death, those of another after a detour. */
export const claimsOf = ({ history }: RequestDetails, phase: string): Transition[] =>
  (history as unknown as Transition[]).filter((t) => t.state === 'claimed' && phaseOf(t) === phase)

/** Whether some visit of the phase was claimed more than once: its first holder did not finish it. */
export function wasTakenOver(request: RequestDetails, phase: string): boolean {
  const epochs = claimsOf(request, phase).map(({ epoch }) => epoch)
  return new Set(epochs).size < epochs.length
}

/** Whether its KV was lost in a transfer: the pull failed, or its receiver found nothing to pull. */
const wasPrefilledAgain = (request: RequestDetails): boolean =>
  request.history.some(({ state }, i) => state === 'prefill' && i > 2) && claimsOf(request, 'transfer').length > 1

/** Kills the process that holds a request's prefill. `question(n)` gives a prompt that is in no cache, for try n. */
export const killInPrefill = (system: System, question: (n: number) => Question): Promise<Survivor> =>
  untilHit('in a prefill', (request) => wasTakenOver(request, 'prefill'), question, async (asked, n) => {
    const claim = system.watch.nextClaim('prefill')
    const reply = system.http.ask(asked(n))
    const { id, instance } = await claim
    await killHolder(system, id, 'prefill', instance)
    return finished(system, reply)
  })

/**
 * Kills the process that holds a request's transfer, or the one that its KV comes from. The latter stands still meanwhile,
 * so that the transfer lasts until then.
 */
export const killInTransfer = (
  system: System,
  question: (n: number) => Question,
  whom: 'holder' | 'source' = 'holder',
): Promise<Survivor> =>
  untilHit(
    'in a transfer',
    whom === 'holder' ? (request) => wasTakenOver(request, 'transfer') : wasPrefilledAgain,
    question,
    async (asked, n) => {
      const pids = new Map((await system.watch.client.instances()).map(({ id, pid }) => [id, pid]))
      // At once, within the callback: the KV is through a few milliseconds later.
      const leaving = system.watch.next((t) => t.state === 'transfer' && process.kill(pids.get(t.instance)!, 'SIGSTOP'))
      const reply = system.http.ask(asked(n))
      const source = pids.get((await leaving).instance)!
      const claim = system.watch.nextClaim('transfer', undefined, CLAIM_MS).catch(() => undefined)
      const held = await claim
      try {
        if (held && whom === 'holder') await killHolder(system, held.id, 'transfer', held.instance)
      } finally {
        process.kill(source, held && whom === 'source' ? 'SIGKILL' : 'SIGCONT')
      }
      return finished(system, reply)
    },
  )

/**
 * Calls `strike` in the middle of a request's decode, when its reader has so many tokens. The question must be streamed.
 * Where this process was too slow to look, it asks again.
 */
export async function strikeInDecode(
  system: System,
  question: Question,
  atTokens: number,
  strike: (claim: Transition) => void | Promise<void>,
): Promise<Survivor> {
  for (let tries = 1; tries <= TRIES; tries++) {
    const survivor = await struckOnce(system, question, atTokens, strike)
    if (survivor) return { ...survivor, tries }
  }
  throw new Error(`${TRIES} times the decode was over before the blow: ask for a longer answer`)
}

/** Undefined = its decode was over when its reader had the tokens, and nothing was done to it. */
async function struckOnce(
  system: System,
  question: Question,
  atTokens: number,
  strike: (claim: Transition) => void | Promise<void>,
): Promise<Omit<Survivor, 'tries'> | undefined> {
  const claim = system.watch.nextClaim('decode')
  let seen = 0
  let struck: Promise<boolean> | undefined
  const blow = async (): Promise<boolean> => {
    const held = await claim
    if ((await system.watch.request(held.id)).state !== 'decode') return false
    await strike(held)
    return true
  }
  const reply = await system.http.ask(question, (piece) => {
    seen += piece.split('"token_ids"').length - 1
    if (seen >= atTokens) struck ??= blow()
  })
  if (struck === undefined) throw new Error(`the answer ended after ${seen} pieces, before the blow`)
  return (await struck) ? finished(system, Promise.resolve(reply)) : undefined
}

/** Kills nats-server; resolves when its guardian has started it again. */
export async function killNatsServer(system: System): Promise<void> {
  const before = system.pidOf('nats-server')
  process.kill(before, 'SIGKILL')
  await eventually(
    () => system.processes().some(({ pid, command }) => pid !== before && /nats-server\S* -c /.test(command)),
    10_000,
  )
}

async function killHolder(system: System, id: string, phase: string, instance: string): Promise<void> {
  const pid = await system.pidOfInstance(instance)
  process.kill(pid, 'SIGSTOP')
  // Only now it cannot finish any more behind our back.
  const { state, holder } = await system.watch.request(id)
  const hit = state === phase && holder.startsWith(`${instance}.`)
  process.kill(pid, hit ? 'SIGKILL' : 'SIGCONT')
}

async function finished(system: System, asked: Promise<Reply>): Promise<Omit<Survivor, 'tries'>> {
  const reply = await asked
  return { reply, request: await system.watch.request(reply.id) }
}

async function untilHit(
  what: string,
  hit: (request: RequestDetails) => boolean,
  question: (n: number) => Question,
  attempt: (question: (n: number) => Question, n: number) => Promise<Omit<Survivor, 'tries'>>,
): Promise<Survivor> {
  for (let n = 0; n < TRIES; n++) {
    const survivor = await attempt(question, n)
    if (hit(survivor.request)) return { ...survivor, tries: n + 1 }
  }
  throw new Error(`${TRIES} blows, and none fell ${what}`)
}
