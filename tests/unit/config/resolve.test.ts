import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { LABELS } from '../../../runtime/config/config.ts'
import { describeConfig, resolveConfig, toEnvironment } from '../../../runtime/config/mod.ts'
import { LABELS as POLICY_LABELS } from '../../../runtime/policy/policy.ts'

const flags = (values: Record<string, unknown>) => new Map(Object.entries(values))
const folder = mkdtempSync(join(tmpdir(), 'volley-config-'))
function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

describe('resolveConfig() precedence', () => {
  test('a flag wins over the environment, that over a file, that over the default', async () => {
    const path = file('four.json', '{"port": 3, "host": "h3", "context": 33}')
    const { config, origins } = await resolveConfig({
      flags: flags({ port: '1' }),
      env: { VOLLEY_PORT: '2', VOLLEY_HOST: 'h2', VOLLEY_CONFIG: path },
    })
    expect([config.port, config.host, config.context, config.transfer]).toEqual([1, 'h2', 33, 'auto'])
    expect([origins.port, origins.host, origins.context, origins.transfer])
      .toEqual(['flag --port', 'environment VOLLEY_HOST', `file ${path}`, 'default'])
  })

  test('VOLLEY_NATS wins over NATS_URL, which is understood', async () => {
    expect((await resolveConfig({ env: { NATS_URL: 'nats://a:1' } })).config.nats).toBe('nats://a:1')
    expect((await resolveConfig({ env: { NATS_URL: 'nats://a:1', VOLLEY_NATS: 'nats://b:2' } })).config.nats).toBe(
      'nats://b:2',
    )
  })

  test('an empty variable is not set', async () => {
    const { config, origins } = await resolveConfig({ env: { VOLLEY_PORT: '' } })
    expect([config.port, origins.port]).toEqual([8080, 'default'])
  })

  test('a TypeScript module is a config file', async () => {
    const path = file('c.ts', "export default { maxBatch: 4 as number, 'log-level': 'debug', slo: { ttft: 200 } }\n")
    const { config } = await resolveConfig({ file: path })
    expect([config.maxBatch, config.logLevel, config.slo]).toEqual([4, 'debug', { ttft: 200 }])
  })
})

describe('resolveConfig() values', () => {
  test.each(
    [
      ['labels', 'prefill=1, decode=2', 'labels', { prefill: 1, decode: 2 }],
      ['engine', 'wasm', 'engine', { prefill: 'wasm', decode: 'wasm', encode: 'wasm' }],
      ['engine', 'prefill:tensorflow,decode:wasm', 'engine', { prefill: 'tensorflow', decode: 'wasm', encode: 'auto' }],
      ['slo', 'ttft=200,tpot=50', 'slo', { ttft: 200, tpot: 50 }],
      ['api-key', ['a', 'b,c'], 'apiKeys', ['a', 'b', 'c']],
      ['grace', '500ms', 'graceMs', 500],
      ['grace', '1.5', 'graceMs', 1500],
      ['nats', 'nats://127.0.0.1:4222', 'nats', 'nats://127.0.0.1:4222'],
      ['nats', 'demo:4222,other:4222', 'nats', 'demo:4222,other:4222'],
      ['port', '0', 'port', 0],
    ] as const,
  )('--%s %s', async (flag, raw, key, value) => {
    expect((await resolveConfig({ flags: flags({ [flag]: raw }) })).config[key]).toEqual(value)
  })

  test.each([
    ['port', '65536'],
    ['port', '8o80'],
    ['port', '-1'],
    ['instances', '0'],
    ['labels', 'prefil=1'],
    ['labels', 'prefill=x'],
    ['labels', ''],
    ['labels', 'prefill=1,prefill=2'],
    ['engine', 'cuda'],
    ['engine', 'prefill:cuda'],
    ['dtype', 'q5'],
    ['slo', 'ttft=0'],
    ['transfer', 'pigeon'],
    ['grace', '1h'],
    ['nats', 'http://x'],
    ['log-level', 'loud'],
    ['name', 'a.b'],
    ['transfer-host', '0.0.0.0'],
    ['transfer-host', '::'],
  ])('--%s %s is refused, with what must hold', async (flag, raw) => {
    await expect(resolveConfig({ flags: flags({ [flag]: raw }) })).rejects.toMatchObject({
      code: 'invalid_flag',
      param: flag,
      remedy: expect.stringMatching(/^give /),
    })
    await expect(
      resolveConfig({
        env: raw === '' ? { VOLLEY_PORT: 'x' } : { [`VOLLEY_${flag.toUpperCase().replaceAll('-', '_')}`]: raw },
      }),
    )
      .rejects.toMatchObject({ code: 'invalid_config' })
  })

  test('a refused secret is not repeated', async () => {
    await expect(resolveConfig({ flags: flags({ 'api-key': 'my secret' }) })).rejects.not.toThrow(/secret/)
  })
})

describe('resolveConfig() names and combinations', () => {
  test('an unknown key of a file is an error with the nearest', async () => {
    await expect(resolveConfig({ file: file('k.json', '{"prot": 1}') }))
      .rejects.toMatchObject({ code: 'invalid_config', remedy: 'did you mean "port"?' })
  })

  test.each([['missing', '/nowhere/volley.json'], ['broken', file('b.json', '{')], [
    'not an object',
    file('n.json', '[1]'),
  ]])(
    'a %s file is one clear error',
    async (_, path) => {
      await expect(resolveConfig({ file: path })).rejects.toMatchObject({ code: 'invalid_config', param: 'config' })
    },
  )

  test('an unknown VOLLEY_ variable is one warning', async () => {
    const { warnings } = await resolveConfig({ env: { VOLLEY_PROT: '1', VOLLEY_CACHE: '/x', OTHER: '1' } })
    expect(warnings).toEqual(['Environment variable VOLLEY_PROT means nothing to Volley; did you mean VOLLEY_PORT?'])
  })

  test('labels imply instances; instances alone drop the default labels of a command', async () => {
    const defaults = { labels: { prefill: 1, decode: 1 } }
    expect((await resolveConfig({ flags: flags({ labels: 'prefill=2,decode=1' }) })).config.instances).toBe(3)
    expect((await resolveConfig({ defaults })).config.instances).toBe(2)
    const one = await resolveConfig({ defaults, flags: flags({ instances: '1' }) })
    expect([one.config.instances, one.config.labels]).toEqual([1, {}])
  })

  test('more labels than instances cannot be', async () => {
    await expect(resolveConfig({ flags: flags({ labels: 'prefill=2', instances: '1' }) }))
      .rejects.toMatchObject({ code: 'invalid_config', param: 'labels' })
  })

  test('transfer through memory needs a shared process', async () => {
    await expect(resolveConfig({ flags: flags({ transfer: 'memory', instances: '2' }) }))
      .rejects.toMatchObject({ code: 'invalid_config', param: 'transfer' })
    await resolveConfig({ flags: flags({ transfer: 'memory', instances: '2', 'per-process': '2' }) })
  })
})

test('toEnvironment() carries a config to another process unchanged', async () => {
  const { config } = await resolveConfig({
    flags: flags({
      labels: 'prefill=1,decode=1',
      engine: 'prefill:cpu,decode:wasm',
      slo: 'ttft=9',
      grace: '250ms',
      'api-key': ['k1', 'k2'],
      port: '0',
      nats: 'nats://h:1',
      threads: '3',
    }),
  })
  expect((await resolveConfig({ env: toEnvironment(config) })).config).toEqual(config)
})

test('describeConfig() names values and origins, and hides secrets', async () => {
  const rows = describeConfig(await resolveConfig({ flags: flags({ port: '1', 'api-key': ['s3cret'] }) }))
  expect(rows.find((row) => row.key === 'port')).toEqual({ key: 'port', value: 1, shown: '1', origin: 'flag --port' })
  expect(JSON.stringify(rows)).not.toContain('s3cret')
})

test('labels are those that policies know', async () => {
  expect([...LABELS].sort()).toEqual([...POLICY_LABELS].sort())
  const { config } = await resolveConfig({ flags: new Map([['labels', 'encode=2,prefill+decode=1']]) })
  expect([config.labels, config.instances]).toEqual([{ encode: 2, 'prefill+decode': 1 }, 3])
  expect(toEnvironment(config)['VOLLEY_LABELS']).toBe('encode=2,prefill+decode=1')
})
