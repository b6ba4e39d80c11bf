import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { runCommand } from '../../../cli/command.ts'
import { sim as command } from '../../../cli/commands/sim.ts'
import { toVolleyError } from '../../../runtime/errors.ts'
import { temporaryDirectory } from '../../helpers/model-files.ts'

const main = join(import.meta.dirname, '../../../cli/main.ts')
/** A process that computes: how long that takes is the machine's affair, but it ends. */
const PATIENCE_MS = 60_000
vi.setConfig({ testTimeout: 3 * PATIENCE_MS })

function sim(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'sim', ...args], {
    encoding: 'utf8',
    timeout: PATIENCE_MS,
  })
  return {
    status,
    stdout,
    stderr,
    lines: () => stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}

const SLO = ['--slo', 'ttft=3000,tpot=50']
const LOAD = ['--trace', 'synthetic:inverting-a:100']

test('volley sim prints one line of figures a policy', () => {
  const { status, lines } = sim(
    ...LOAD,
    ...SLO,
    '--policy',
    'static,arrow-v2',
    '--labels',
    'prefill=1,decode=2',
    '--rate',
    '2',
    '--json',
  )
  expect(status).toBe(0)
  expect(lines().map(({ policy, labels, rate }) => [policy, labels, rate])).toEqual([['static', '1P2D', 2], [
    'arrow-v2',
    '1P2D',
    2,
  ]])
  for (const line of lines()) {
    expect(Object.keys(line)).toEqual(expect.arrayContaining([
      'sim',
      'policy',
      'labels',
      'rate',
      'offered',
      'finished',
      'rejected',
      'attainment',
      'ttftMs',
      'tpotMs',
      'flips',
      'transferredBytes',
    ]))
    expect(line['ttftMs']).toEqual({
      mean: expect.any(Number),
      p50: expect.any(Number),
      p90: expect.any(Number),
      p99: expect.any(Number),
    })
  }
})

test('volley sim prints the same bytes for the same seed, others for another', () => {
  const run = (seed: string) =>
    sim(...LOAD, ...SLO, '--policy', 'arrow-v2', '--density', '0.5', '--seed', seed, '--json').stdout
  const first = run('1')
  expect(first).toContain('"attainment"')
  expect(run('1')).toBe(first)
  expect(run('2')).not.toBe(first)
})

test('volley sim --goodput of a sweep names the best and all it tried', () => {
  const [line] = sim(...LOAD, ...SLO, '--policy', 'best-static', '--instances', '3', '--goodput', '--json').lines()
  const tried = line!['tried'] as Record<string, number>
  expect(Object.keys(tried)).toEqual(['1P2D', '2P1D'])
  expect(line).toMatchObject({ goodput: Math.max(...Object.values(tried)), rate: line!['goodput'] })
  expect(line!['failingRate']).toBeGreaterThan(line!['goodput'] as number)
  expect(line!['attainment']).toBeGreaterThanOrEqual(0.9)
})

test('volley sim has faults happen, over links that are shared, and says what it cost', () => {
  const { lines } = sim(...LOAD, ...SLO, '--policy', 'arrow-v2', '--rate', '4', '--fault',
    'death:i7:40000,slow:i0:0:9000:3,outage:broker:15000:2000', '--link-gbps', '100', '--json')
  const [line] = lines()
  expect(line).toMatchObject({ finished: line!['offered'], failed: 0 })
  expect(line!['refilled']).toBeGreaterThan(0)
})

test('volley sim reads a file of the user', () => {
  const file = join(temporaryDirectory(), 'mine.csv')
  writeFileSync(file, 'arrival_s,input_tokens,output_tokens\n0,100,2\n1,100,1\n')
  const { stdout, status } = sim('--trace', file, '--policy', 'single', '--instances', '1')
  expect([status, stdout]).toEqual([0, expect.stringContaining('100.0 % of 2')])
})

test.each([
  [['--policy', 'arow', ...LOAD], /Cannot use policy "arow".*\[policy_invalid\]/],
  [['--trce', 'x'], /did you mean --trace\?.*\[unknown_flag\]/],
  [[], /--trace is missing.*\[invalid_flag\]/],
  [[...LOAD, '--profile', '9b'], /use one of 8b, 32b, l30b, rtxpro6000-8b, .*or machine for .*\[invalid_flag\]/],
  [[...LOAD, '--rate', '0'], /--rate must be a number above 0, not "0"/],
  [[...LOAD, '--slo', 'ttft=1,tbt=2'], /--slo must be/],
  [[...LOAD, '--goodput'], /--goodput needs --slo/],
  [[...LOAD, ...SLO, '--goodput', '--rate', '2'], /exclude each other/],
  [[...LOAD, '--labels', 'prefill=3', '--instances', '2'], /--labels name 3 instances, there are 2/],
  [['--trace', '/nowhere.csv'], /Cannot read trace \/nowhere.csv/],
  [['--trace', 'servegen:/nowhere.jsonl'], /Cannot read ServeGen clients from \/nowhere.jsonl/],
  [['--trace', 'servegen:/nowhere.jsonl:9-8'], /9-8 are no hours of a day/],
  [[...LOAD, '--fault', 'fire:i0:1'], /Cannot simulate the fault "fire:i0:1"/],
  [[...LOAD, '--fault', 'death:i9:1'], /There is no instance "i9" to go wrong/],
  [[...LOAD, '--link-gbps', '0'], /--link-gbps must be a number above 0/],
  [[...LOAD, '--policy', 'static@E+P'], /Unknown kinds of instances "E\+P"/],
])('volley sim %j is refused', async (args, message) => {
  const error = toVolleyError(await runCommand(command, args).catch((thrown: unknown) => thrown))
  expect(error.kind.exit).toBe(2)
  expect(error.toLine()).toMatch(message)
})
