import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { autoEngine } from '../../../../runtime/engine/native/auto.ts'
import { recordFile, type TensorflowRecord } from '../../../../runtime/engine/native/record.ts'
import { temporaryDirectory } from '../../../helpers/model-files.ts'

const home = temporaryDirectory()
const record: TensorflowRecord = {
  format: 1, folder: home, origin: 'fetched', library: '2.21.0', device: 'cpu', cases: 21,
  testedOn: 'node', madeAt: '', rates: { tensorflow: 150, wasm: 30 },
}

function write(record: object): void {
  mkdirSync(dirname(recordFile()), { recursive: true })
  writeFileSync(recordFile(), JSON.stringify(record))
  writeFileSync(join(home, 'package.json'), '{}')
}

describe('autoEngine()', () => {
  beforeEach(() => {
    vi.stubEnv('VOLLEY_CACHE', join(home, 'cache'))
    return () => vi.unstubAllEnvs()
  })

  it('takes wasm where nothing is set up', () => {
    expect(autoEngine(576)).toEqual({ prefill: 'wasm', decode: 'wasm', why: 'native TensorFlow is not set up' })
  })

  it('takes TensorFlow for the prefill of a model wide enough, where it was measured to be faster', () => {
    write(record)
    expect(process.env['VOLLEY_CACHE']).toBeDefined()
    expect(autoEngine(576)).toMatchObject({ prefill: 'tensorflow', decode: 'wasm' })
    expect(autoEngine(128)).toMatchObject({ prefill: 'wasm', decode: 'wasm' })
  })

  it('takes wasm where TensorFlow is hardly faster, or was not measured', () => {
    write({ ...record, rates: { tensorflow: 40, wasm: 30 } })
    expect(autoEngine(576).prefill).toBe('wasm')
    write({ ...record, rates: undefined })
    expect(autoEngine(576)).toMatchObject({ prefill: 'wasm', why: expect.stringContaining('run the set-up again') as string })
  })
})
