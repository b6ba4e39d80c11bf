import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { noisePng } from '../../helpers/make-png.ts'
import { eventually, noSystem, nothingIsLeft, SOON_MS, startSystem, type System, type SystemOptions, testModel } from '../../helpers/system.ts'
import type { Question } from '../../helpers/system-http.ts'
import { askAll, texts } from '../../helpers/system-table.ts'

/** Cuts pictures into tiles; the one that ships makes one tile of each. */
const cutting = fileURLToPath(new URL('../../../../shared/data/models/idefics3_tiny', import.meta.url))
const cuts = existsSync(cutting)
const model = cuts ? cutting : testModel
if (noSystem) console.log(`systems are not started: ${noSystem}`)
else if (!cuts) console.log('../shared/data/models/idefics3_tiny is not there: pictures go to the model that ships, one tile each')

const png = (width: number, height: number, seed: number) => ({
  type: 'image_url',
  image_url: { url: `data:image/png;base64,${noisePng(width, height, seed).toString('base64')}` },
})
const text = (said: string) => ({ type: 'text', text: said })
const question = (content: unknown[], over: Partial<Question> = {}): Question => ({
  path: 'chat/completions',
  messages: [{ role: 'user', content }],
  max_tokens: 24,
  temperature: 0,
  ignore_eos: true,
  return_token_ids: true,
  ...over,
})
/** Five tiles and three where they are cut. */
const two = (seed: number) => [text('First'), png(128, 128, seed), text('then'), png(128, 64, seed + 1), text('and what?')]

const TABLE: Record<string, Question> = {
  'one picture': question([png(60, 60, 1), text('What is it?')]),
  'two pictures': question(two(2)),
  'two pictures, drawn, streamed, two choices': question(two(2), { temperature: 0.9, seed: 7, n: 2, stream: true }),
  'never cut': question([{ type: 'image_url', image_url: { url: png(128, 128, 3).image_url.url, detail: 'low' } }, text('And this?')]),
  'the same picture twice': question([png(128, 64, 4), text('and'), png(128, 64, 4), text('?')]),
  'no picture': question([text('Once upon a time')]),
}

const TOPOLOGIES: { name: string; options: SystemOptions }[] = [
  { name: 'E+P+D, over unix sockets', options: { labels: 'encode=1,prefill=1,decode=1' } },
  { name: 'two encode, over TCP', options: { labels: 'encode=2,prefill+decode=1', transfer: 'tcp' } },
  { name: 'EP+D, over NATS', options: { labels: 'encode+prefill=1,decode=1', transfer: 'nats' } },
  { name: 'ED+P, of one process, over memory', options: { labels: 'encode+decode=1,prefill=1', perProcess: 2, transfer: 'memory' } },
  { name: 'three unlabelled, in turns', options: { instances: 3, policy: 'round-robin' } },
]

interface Parts {
  tiles?: number
  cached?: number
  parts?: { instance: string; tiles: number }[]
}

/** What each encode of a request said of itself. */
async function encodes({ watch }: System, id: string): Promise<Parts[]> {
  const { history } = await watch.request(id)
  return history.map(({ detail }) => detail as Parts).filter(({ parts }) => parts !== undefined)
}

describe.skipIf(noSystem !== undefined)('pictures: the same answers, byte for byte', () => {
  let system: System | undefined
  let expected: Record<string, string>
  beforeAll(async () => {
    const one = await startSystem({ model, instances: 1 })
    try {
      expected = texts(await askAll(one.http, TABLE, 1))
      expect(Object.values(expected).filter((answer) => !answer.startsWith('200 '))).toEqual([])
      expect(texts(await askAll(one.http, TABLE, 6)), 'asked again, all at once').toEqual(expected)
      await nothingIsLeft(one, SOON_MS)
    } finally {
      await one.close()
    }
  }, 120_000)
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log(system?.log())
    await system?.close()
    system = undefined
  })

  it.each(TOPOLOGIES)('$name', async ({ options }) => {
    system = await startSystem({ model, ...options })
    const first = await askAll(system.http, TABLE, 6)
    expect(texts(first)).toEqual(expected)
    expect(texts(await askAll(system.http, TABLE, 3)), 'asked again').toEqual(expected)
    const [told] = await encodes(system, first['two pictures']!.id)
    expect(told!.tiles).toBe(cuts ? 8 : 2)
    expect(await encodes(system, first['no picture']!.id)).toEqual([])
    await nothingIsLeft(system, SOON_MS)
  }, 120_000)
})

describe.skipIf(noSystem !== undefined)('encode instances', () => {
  let system: System
  const ids = (): string[] => system.watch.instances().map(({ id }) => id).sort()
  beforeAll(async () => {
    system = await startSystem({ model, labels: 'encode=2,prefill=1,decode=1' })
  }, 120_000)
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.log(system?.log())
  })
  afterAll(() => system?.close())

  it('share the tiles of a request, and encode nothing twice; the command line tells it', async () => {
    const { id } = await system.http.ask(question(two(50)))
    const [told] = await encodes(system, id)
    expect(told!.cached).toBe(0)
    expect(told!.parts!.map(({ tiles }) => tiles)).toEqual(cuts ? [4, 4] : [1, 1])
    expect(told!.parts!.map(({ instance }) => instance).sort()).toEqual(ids().slice(0, 2))
    const again = await system.http.ask(question(two(50)))
    expect((await encodes(system, again.id))[0]!.cached).toBe(told!.tiles)
    expect(system.volley('trace', id, '--nats', system.nats).stdout).toMatch(/encode .* tiles: \S+ \d, \S+ \d/)
    expect(system.volley('explain', id, '--nats', system.nats).stdout).toMatch(/^encode: \S+ gave it to \S+ .*\n {2}\d tiles, with \S+/m)
  }, 60_000)

  it('take and lose the phase by their label alone', async () => {
    const [first] = ids()
    const flipped = system.volley('flip', first!, 'prefill+encode', '--force', '--nats', system.nats)
    expect([flipped.code, flipped.stderr]).toEqual([0, ''])
    expect(flipped.stdout).toContain('encode+prefill')
    expect((await system.watch.client.instances()).find(({ id }) => id === first)!.label).toBe('encode+prefill')
    expect(system.volley('flip', first!, 'encode+nothing', '--nats', system.nats).code).toBe(2)
    expect(system.volley('flip', first!, 'encode', '--force', '--nats', system.nats).code).toBe(0)
  }, 60_000)

  it('may die while they encode: the answer does not change', async () => {
    const content = (n: number) => [...Array.from({ length: 8 }, (_, i) => png(128, 128, 1_000 + 100 * n + i)), text('What are these?')]
    for (let tries = 1;; tries++) {
      const asked = question(content(tries))
      const pids = await eventually(() => {
        const living = new Set(system.processes().map(({ pid }) => pid))
        const all = system.watch.instances().filter(({ pid }) => living.has(pid))
        return all.length === 4 && new Map(all.map(({ id, pid }) => [id, pid]))
      }, 30_000)
      // At once, within the callback: the tiles are done a few milliseconds later.
      const began = system.watch.next(({ state, instance, detail }) => {
        if (state !== 'prefill') return false
        // By turns the one that leads, and the one that helps.
        const helper = (detail as Parts).parts!.find((part) => part.instance !== instance)!.instance
        return process.kill(pids.get(tries % 2 === 1 ? instance : helper)!, 'SIGKILL')
      })
      const reply = system.http.ask(asked)
      const { id } = await began
      const { status, text: answer } = await reply
      expect(status).toBe(200)
      const said = await encodes(system, id)
      const hit = said.length > 1
      // Asked again, by whoever is there: other instances, other parts, the same bytes.
      expect((await system.http.ask(asked)).text).toBe(answer)
      await nothingIsLeft(system)
      if (hit) break
      expect(tries, 'no blow fell while tiles were encoded').toBeLessThan(6)
    }
  }, 400_000)
})
