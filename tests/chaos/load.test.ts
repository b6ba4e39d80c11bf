import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../helpers/random.ts'
import { noSystem, nothingIsLeft, residentBytes, startSystem, type System } from '../helpers/system.ts'
import type { Question } from '../helpers/system-http.ts'

if (noSystem) console.log(`systems are not started: ${noSystem}`)

const REQUESTS = 200
const AT_ONCE = 16
/** Of resident memory, from the first round's end to the second's. */
const GROWTH = 1.1
/** V8 lets its young generation grow for minutes before it settles: kept small, so that what grows is what is kept. */
const EAGER = { NODE_OPTIONS: '--max-semi-space-size=1' }

interface Outcome {
  id: string
  /** What is wrong with it; undefined = nothing. */
  problem: string | undefined
  cancelled: boolean
}

/** Lengths of every kind, one or several choices, streamed and not; every ninth is left by its reader. */
function load(seed: number): { question: Question; leaves: boolean }[] {
  const random = seededRandom(seed)
  return Array.from({ length: REQUESTS }, (_, i) => ({
    leaves: i % 9 === 4,
    question: {
      path: 'completions',
      prompt: Array.from({ length: 1 + random.below(i % 5 === 0 ? 300 : 40) }, () => 20 + random.below(400)),
      max_tokens: i % 9 === 4 ? 150 : 1 + random.below(60),
      n: 1 + random.below(3),
      temperature: 0.8,
      seed: i,
      ignore_eos: true,
      return_token_ids: true,
      stream: random.below(2) === 0,
    },
  }))
}

describe.skipIf(noSystem !== undefined)('200 requests, 16 at a time, some left by their readers', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({ instances: 2, policy: 'round-robin', env: EAGER })
  }, 120_000)
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.log(system?.log())
  })
  afterAll(() => system?.close())

  async function round(seed: number): Promise<Outcome[]> {
    const waiting = load(seed)
    const outcomes: Outcome[] = []
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        outcomes.push(await (next.leaves ? leave(next.question) : finish(next.question)))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    return outcomes
  }

  async function finish(question: Question): Promise<Outcome> {
    const { id, status, text } = await system.http.ask(question)
    const wanted = Array<number>(question['n'] as number).fill(question['max_tokens'] as number)
    const { choices = [] } = JSON.parse(text) as {
      choices?: { tokens?: number[]; token_ids?: number[]; finish_reason?: string; finish?: string[] }[]
    }
    const got = choices.map(({ tokens, token_ids }) => (tokens ?? token_ids ?? []).length)
    const ends = choices.map(({ finish_reason, finish }) => finish_reason ?? finish?.join())
    const whole = status === 200 && JSON.stringify(got) === JSON.stringify(wanted) &&
      ends.every((end) => end === 'length')
    return {
      id,
      cancelled: false,
      problem: whole ? undefined : `${status}, ${got} of ${wanted} tokens: ${text.slice(0, 300)}`,
    }
  }

  async function leave(question: Question): Promise<Outcome> {
    const away = new AbortController()
    const response = await system.http.send({ ...question, stream: true }, away.signal)
    const { value } = await response.body!.getReader().read()
    away.abort()
    const problem = response.status === 200 && value ? undefined : `${response.status} before it was left`
    return { id: response.headers.get('x-request-id')!, cancelled: true, problem }
  }

  it('none is lost, none doubled, nothing stays, memory neither', async () => {
    const resident = (): number[] => {
      const pids = [system.pidOf('gateway'), ...new Set(system.watch.instances().map(({ pid }) => pid))]
      return pids.map(residentBytes)
    }
    const sizes: number[][] = []
    for (const seed of [1, 2]) {
      const outcomes = await round(seed)
      expect(outcomes.flatMap(({ problem }) => problem ?? [])).toEqual([])
      expect(new Set(outcomes.map(({ id }) => id)).size).toBe(REQUESTS)
      await nothingIsLeft(system, 5_000)
      const known = new Map((await system.watch.client.requests()).map(({ id, state }) => [id, state]))
      const states = outcomes.map(({ id, cancelled }) => `${cancelled ? 'left' : 'read'} ${known.get(id)}`)
      // One that was left may have been through just then.
      expect(states.filter((state) => !['read done', 'left cancelled', 'left done'].includes(state))).toEqual([])
      expect(states.filter((state) => state === 'left cancelled').length).toBeGreaterThan(10)
      sizes.push(resident())
    }
    const [first, second] = sizes
    console.log(`resident MB after each round: ${sizes.map((all) => all.map((b) => Math.round(b / 1e6))).join(' | ')}`)
    expect(second!.map((bytes, i) => bytes / first![i]!).filter((ratio) => ratio > GROWTH)).toEqual([])
  }, 300_000)
})
