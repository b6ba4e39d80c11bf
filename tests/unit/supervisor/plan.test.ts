import { describe, expect, test } from 'vitest'
import { failureAtStart } from '../../../actors/supervisor/failure.ts'
import { planProcesses } from '../../../actors/supervisor/plan.ts'
import type { Death } from '../../../actors/supervisor/role.ts'
import { resolveConfig } from '../../../runtime/config/mod.ts'

const options = { id: 'x', nats: 'nats://h:1', port: 80 }
async function instancesOf(flags: Record<string, string>) {
  const { config } = await resolveConfig({ flags: new Map(Object.entries(flags)) })
  const plan = planProcesses(config, options).filter(({ role }) => role === 'instance')
  return plan.map(({ name, config }) => ({
    name,
    instances: config.instances,
    labels: config.labels,
    threads: config.threads,
  }))
}

describe('planProcesses()', () => {
  test('one gateway, one scheduler, and each knows its name and the way', async () => {
    const plan = planProcesses((await resolveConfig()).config, options)
    expect(plan.map(({ role, config }) => [role, config.name, config.nats, config.port])).toEqual([
      ['gateway', 'gateway-x', 'nats://h:1', 80],
      ['scheduler', 'scheduler-x', 'nats://h:1', 80],
      ['instance', 'instance-x-0', 'nats://h:1', 80],
    ])
  })

  test('labelled instances come first, a process each', async () => {
    expect(await instancesOf({ labels: 'prefill=1,decode=1', instances: '3' })).toEqual([
      { name: 'instance-x-0', instances: 1, labels: { prefill: 1 }, threads: undefined },
      { name: 'instance-x-1', instances: 1, labels: { decode: 1 }, threads: undefined },
      { name: 'instance-x-2', instances: 1, labels: {}, threads: undefined },
    ])
  })

  test('--per-process fills processes one after the other', async () => {
    expect(await instancesOf({ labels: 'prefill=2,decode=3', 'per-process': '2', threads: '5' })).toEqual([
      { name: 'instance-x-0', instances: 2, labels: { prefill: 2 }, threads: 5 },
      { name: 'instance-x-1', instances: 2, labels: { decode: 2 }, threads: 5 },
      { name: 'instance-x-2', instances: 1, labels: { decode: 1 }, threads: 5 },
    ])
  })
})

describe('failureAtStart()', () => {
  const death: Death = { name: 'instance-x-0', code: 1, signal: null, lastLine: '', inRow: 1 }

  test.each([
    ['a death by signal', { code: null, signal: 'SIGKILL' as const, inRow: 9 }],
    ['exit code 1, once', { code: 1, inRow: 1 }],
    ['exit code 1, twice', { code: 1, inRow: 2 }],
  ])('%s is tried again', (_, more) => expect(failureAtStart({ ...death, ...more })).toBeUndefined())

  test.each([
    ['exit code 2, at once', { code: 2 }],
    ['exit code 3, at once', { code: 3 }],
    ['exit code 1, three times', { code: 1, inRow: 3 }],
  ])('%s is the end, with the error that the process wrote', (_, more) => {
    const lastLine = 'Cannot read a.b: it is gone. To fix: bring it back. Soon [model_file_missing]'
    expect(failureAtStart({ ...death, ...more, lastLine })).toMatchObject({
      code: 'model_file_missing',
      message: 'Cannot read a.b: it is gone',
      remedy: 'bring it back. Soon',
    })
  })

  test('without such an error the last line is told', () => {
    expect(failureAtStart({ ...death, inRow: 3, lastLine: 'Segmentation fault' }))
      .toMatchObject({ code: 'internal', message: 'instance-x-0 ended 3 times at start: Segmentation fault' })
    expect(failureAtStart({ ...death, inRow: 3, lastLine: 'odd. [no_such_code]' })).toMatchObject({ code: 'internal' })
  })
})
