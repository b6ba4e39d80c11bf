import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import process from 'node:process'
import { afterAll, expect, test } from 'vitest'
import type { RoadStep } from '../../cli/ui/road.ts'
import { projectRoot, selfCommand } from '../../runtime/platform.ts'

const state = mkdtempSync(join(tmpdir(), 'volley-start-'))
afterAll(() => rmSync(state, { recursive: true, force: true }))

function start(...flags: string[]) {
  const { command, args } = selfCommand(join(projectRoot, 'cli', 'main.ts'), ['start', '--once', ...flags])
  const env = {
    ...process.env,
    VOLLEY_STATE: state,
    VOLLEY_NATS: '',
    NATS_URL: '',
    VOLLEY_NATS_SERVER: process.env['NATS_SERVER'] ?? '',
  }
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env, timeout: 120_000 })
  return { status, stdout, stderr }
}

const pictures: { picture: string; questions: { question: string; answer: string }[] }[] = JSON.parse(
  readFileSync(join(projectRoot, 'models', 'pictures', 'questions.json'), 'utf8'),
)

const hasServer = Boolean(process.env['NATS_SERVER'])
if (!hasServer) console.log('no nats-server could be had: `start` is not tested')

test.skipIf(!hasServer)('start --once shows the model a picture, the answer is right, the road is whole, it ends with 0', {
  timeout: 150_000,
}, () => {
  const { status, stdout, stderr } = start('--json')
  expect(status, stderr).toBe(0)
  const [nats, ready, answer] = stdout.trim().split('\n').map((line) => JSON.parse(line))
  expect([nats.nats, ready.ready]).toEqual([expect.stringMatching(/^nats:/), expect.stringMatching(/^http:/)])
  const { questions } = pictures.find(({ picture }) => picture === basename(answer.picture))!
  expect(answer.text).toBe(questions.find(({ question }) => question === answer.prompt)!.answer)
  const road: RoadStep[] = answer.road
  expect(road.map((step) => step.state)).toEqual(['admitted', 'encode', 'prefill', 'transfer', 'decode', 'done'])
  const holder = (state: string) => road.find((step) => step.state === state)?.instance
  expect(holder('encode')).toMatch(/^instance-/)
  expect(holder('prefill')).not.toBe(holder('decode'))
})
