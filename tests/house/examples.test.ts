/**
 * Every example is short, and runs.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test } from 'vitest'
import { decode } from '../../actors/decode/actor.ts'
import { prefill } from '../../actors/prefill/actor.ts'
import { show } from '../../actors/show/actor.ts'
import { transfer } from '../../actors/transfer/actor.ts'
import { policyNamed } from '../../actors/policies.ts'
import { actors, pipelines } from '../../examples/02-guarded-answer/pipeline.ts'
import { natsBus } from '../../runtime/bus/nats.ts'
import { realClock, sleep } from '../../runtime/clock.ts'
import { registerPipeline } from '../../runtime/machine/mod.ts'
import { emit } from '../../runtime/pool/perform.ts'
import { MemoryCluster, readAll, scriptText, submission } from '../helpers/memory-cluster.ts'
import { natsServerPath, startNatsServer } from '../helpers/nats-server.ts'
import { scriptedToken } from '../helpers/script-engine.ts'
import { read, root, tracked } from './sources.ts'

const MAX_LINES = 80
const files = tracked.filter((path) => path.startsWith('examples/') && path.endsWith('.ts'))
const folders = [...new Set(files.map((path) => path.split('/')[1]!))]

/** Which test below runs an example; a new one names its own here. */
const RUN_BY: Record<string, string> = {
  '01-follow-requests': 'prints transitions as they happen',
  '02-guarded-answer': 'a prompt, refused or answered',
  '03-own-policy': 'serves requests in a cluster',
}

describe('examples', () => {
  test('each is numbered and has one way in', () => {
    const wrong = folders.filter((folder) =>
      !/^\d\d-[a-z0-9-]+$/.test(folder) ||
      files.filter((path) => path.startsWith(`examples/${folder}/`) && /\/(?:main|pipeline|policy)\.ts$/.test(path)).length !==
        1
    )
    expect(wrong.map((folder) => `examples/${folder}: name it NN-what-it-shows, with one main.ts, pipeline.ts or policy.ts`))
      .toEqual([])
  })

  test(`none is longer than ${MAX_LINES} lines`, () => {
    const wrong = files.filter((path) => read(path).trimEnd().split('\n').length > MAX_LINES)
    expect(wrong.map((path) => `${path}: an example is at most ${MAX_LINES} lines; show one thing less`)).toEqual([])
  })

  test('each is run by a test', () => {
    const wrong = folders.filter((folder) => !(folder in RUN_BY))
    expect(wrong.map((folder) => `examples/${folder}: run it in tests/house/examples.test.ts and name it in RUN_BY`))
      .toEqual([])
  })
})

describe('02-guarded-answer: a prompt, refused or answered', () => {
  const FORBIDDEN = 9
  const PROMPT = [5, 6, 7]
  const LENGTH = 5
  const answerOf = (seed: number) => Array.from({ length: LENGTH }, (_, i) => scriptedToken(PROMPT, seed, 0, i))

  /** Answers of one request; `good` says which answers end in a full stop, `prompt` 9 is the forbidden word. */
  async function ask(prompt: number[], good: (ids: readonly number[]) => boolean) {
    const text = {
      ...scriptText,
      decode: (ids: readonly number[]) =>
        ids.includes(FORBIDDEN) && ids.length === prompt.length ? 'forbidden' : good(ids) ? 'Yes.' : 'Well',
    }
    const cluster = new MemoryCluster({ text, actors: [prefill, transfer, decode, show, ...actors] })
    pipelines.forEach(registerPipeline)
    await cluster.start()
    const base = submission({ prompt, pipeline: 'guarded' })
    let result: Awaited<ReturnType<typeof readAll>> | undefined
    /** States entered when the first token was shown. */
    let before: string[] = []
    const states = () =>
      cluster.server.events.filter((e) => e.subject.includes('.evt.')).map((e) => e.subject.split('.').at(-1)!).filter((state) => state !== 'claimed')
    const go = async () => {
      const open = await cluster.front.submit(
        { ...base, sampling: { ...base.sampling, maxTokens: LENGTH } },
        new AbortController().signal,
      )
      async function* noting() {
        for await (const batch of open.tokens) {
          if (before.length === 0) before = states()
          yield batch
        }
      }
      result = await readAll(noting())
    }
    void go()
    expect(await cluster.clock.runUntil(() => result !== undefined, 60_000)).toBe(true)
    expect(cluster.errors).toEqual([])
    await cluster.clock.advance(100)
    expect(cluster.instances.map((i) => i.holds.size)).toEqual([0, 0])
    return { ...result!, before, states: states() }
  }
  const count = (states: string[], state: string) => states.filter((one) => one === state).length

  test('the guard refuses, and nothing is computed', async () => {
    const { shown, error, states } = await ask([5, FORBIDDEN], () => true)
    expect(error?.code).toBe('invalid_request')
    expect(shown).toEqual([])
    expect(states).toEqual(['guard', 'failed'])
  })

  test('a good answer is shown once, and not before it was found good', async () => {
    const { shown, error, states, before } = await ask(PROMPT, () => true)
    expect(error).toBeUndefined()
    expect(shown.map(({ token }) => token)).toEqual(answerOf(1))
    expect(count(states, 'prefill')).toBe(1)
    expect(before).toContain('show')
  })

  test('a bad answer is made again with another seed, and only the good one is shown', async () => {
    const { shown, states, before } = await ask(PROMPT, (ids) => ids.join() === answerOf(2).join())
    expect(shown.map(({ token }) => token)).toEqual(answerOf(2))
    expect(count(states, 'prefill')).toBe(2)
    expect(count(states, 'show')).toBe(1)
    expect(before).toContain('show')
  })

  test('after three tries the last answer is shown as it is', async () => {
    const { shown, error, states } = await ask(PROMPT, () => false)
    expect(error).toBeUndefined()
    expect(shown.map(({ token }) => token)).toEqual(answerOf(3))
    expect(count(states, 'prefill')).toBe(3)
    expect(count(states, 'validate')).toBe(3)
  })
})

describe('03-own-policy, by its file', () => {
  test('serves requests in a cluster', async () => {
    const policyName = await policyNamed(join(root, 'examples/03-own-policy/policy.ts'))
    expect(policyName).toBe('short-first')
    const cluster = new MemoryCluster({ policyName })
    await cluster.start()
    let result: Awaited<ReturnType<typeof readAll>> | undefined
    void cluster.front.submit(submission(), new AbortController().signal).then(async (open) => (result = await readAll(open.tokens)))
    expect(await cluster.clock.runUntil(() => result !== undefined, 60_000)).toBe(true)
    expect(cluster.errors).toEqual([])
    expect(result!.shown.map(({ token }) => token)).toEqual([0, 1, 2, 3, 4].map((i) => scriptedToken([5, 6, 7], 1, 0, i)))
  })
})

describe.skipIf(!natsServerPath)('01-follow-requests', () => {
  const ends: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ends.reverse()) await end()
    ends.length = 0
  })

  test('prints transitions as they happen', async () => {
    const server = await startNatsServer()
    ends.push(() => server.close())
    const bus = await natsBus({ servers: server.url, name: 'test' })
    ends.push(() => bus.close())
    const child = spawn(process.execPath, [join(root, 'examples/01-follow-requests/main.ts'), server.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    ends.push(() => child.kill('SIGKILL'))
    const lines: string[] = []
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
    const exited = once(child, 'exit')
    // Nobody stores these: what is told before the program listens is lost, so it is told again.
    const heard = () => lines.find((line) => line.startsWith('req-1'))
    for (let i = 0; i < 200 && heard() === undefined; i++) {
      if (lines.length === 0) {
        emit(bus, realClock, 'req-0', { state: 'admitted', epoch: 0, attempt: 0, instance: '', detail: {} })
      } else emit(bus, realClock, 'req-1', { state: 'prefill', epoch: 1, attempt: 2, instance: 'i1', detail: {} })
      await sleep(realClock, 50)
    }
    expect(lines[0]).toBe(`following ${server.url}`)
    expect(heard()).toMatch(/^req-1 {2}prefill {5}\+\d+ ms {2}attempt 2 {2}on i1$/)
    child.kill('SIGINT')
    expect((await exited)[0]).toBe(0)
  })
})
