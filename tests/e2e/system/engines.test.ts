import { spawn } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { projectRoot } from '../../../runtime/platform.ts'
import { eventually, noSystem, nothingIsLeft, SOON_MS, startSystem, type System, type SystemOptions, testModel } from '../../helpers/system.ts'
import type { Question } from '../../helpers/system-http.ts'
import { claimsOf, strikeInDecode } from '../../helpers/system-kill.ts'
import { askAll, questions, spanningText, texts } from '../../helpers/system-table.ts'
import { tensorflowHere } from '../../helpers/tensorflow.ts'

if (noSystem) console.log(`systems are not started: ${noSystem}`)
const MIXED = 'prefill:tensorflow,decode:wasm'
let system: System | undefined
let table: Record<string, Question>

const start = async (engine: string, options: SystemOptions): Promise<System> => {
  system = await startSystem({ ...options, flags: [...(options.flags ?? []), '--engine', engine] })
  return system
}
const stop = async (): Promise<void> => {
  await system?.close()
  system = undefined
}

/** Answers of one instance alone. */
async function answersOf(engine: string): Promise<Record<string, string>> {
  const { http } = await start(engine, { instances: 1 })
  table ??= questions(await spanningText(http))
  const answers = texts(await askAll(http, table, 1))
  await stop()
  return answers
}

describe.skipIf(noSystem !== undefined || !tensorflowHere)('prompts on TensorFlow, generated tokens on wasm', () => {
  let expected: Record<string, string>
  beforeAll(async () => {
    expected = await answersOf(MIXED)
    expect(Object.values(expected).filter((answer) => !answer.startsWith('200 '))).toEqual([])
  }, 180_000)
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.log(system?.log())
    await stop()
  })

  it('gives the same answers, byte for byte, when the phases are apart', async () => {
    const { http } = await start(MIXED, { labels: 'prefill=1,decode=1', transfer: 'unix' })
    expect(texts(await askAll(http, table, 8))).toEqual(expected)
    expect(texts(await askAll(http, table, 4)), 'asked again').toEqual(expected)
    await nothingIsLeft(system!, SOON_MS)
  }, 180_000)

  it('gives the same answer when the instance that decodes it dies', async () => {
    const question: Question = {
      ...{ path: 'completions', prompt: 'Once upon a time', max_tokens: 300, temperature: 0.8, seed: 3, n: 2 },
      ...{ ignore_eos: true, stream: true, return_token_ids: true },
    }
    const running = await start(MIXED, { instances: 2, policy: 'round-robin' })
    const answer = (await running.http.ask(question)).text
    const { reply, request } = await strikeInDecode(running, question, 40, async ({ instance }) => {
      process.kill(await running.pidOfInstance(instance), 'SIGKILL')
    })
    expect([reply.text, request.state]).toEqual([answer, 'done'])
    const [first, second] = claimsOf(request, 'decode')
    expect(second!.attempt).toBeGreaterThan(first!.attempt)
    await nothingIsLeft(running)
  }, 180_000)

  it('serves one fleet beside an instance on wasm: every answer is one that either gives alone', async () => {
    const onWasm = await answersOf('wasm')
    const running = await start(MIXED, { instances: 1, policy: 'round-robin' })
    const args = ['instance', '--nats', running.nats, '--model', testModel, '--engine', 'wasm', '--name', 'other']
    const other = spawn(process.execPath, [join(projectRoot, 'cli/main.ts'), ...args], { stdio: 'ignore' })
    try {
      await eventually(async () => (await running.watch.client.instances()).length === 2, 60_000)
      const answers = texts(await askAll(running.http, table, 8))
      const wrong = Object.entries(answers).filter(([name, answer]) => answer !== expected[name] && answer !== onWasm[name])
      expect(wrong).toEqual([])
      const { stdout } = running.volley('pools', '--nats', running.nats, '--json')
      const rows = stdout.trim().split('\n').map((line) => JSON.parse(line) as { engine: string; profile: { baseMs: number; perTokenMs: number } })
      expect(rows.map(({ engine }) => engine).sort()).toEqual([MIXED, 'wasm'])
      for (const { profile } of rows) expect(profile.baseMs + profile.perTokenMs).toBeGreaterThan(0)
      const stats = running.watch.instances()
      expect(stats.map(({ load }) => load.decodeTokensTotal > 0)).toEqual([true, true])
    } finally {
      other.kill('SIGTERM')
      await new Promise((resolve) => (other.exitCode === null ? other.once('exit', resolve) : resolve(null)))
    }
  }, 240_000)
})
