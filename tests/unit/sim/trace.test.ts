import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { type Arrival, readTrace } from '../../../runtime/sim/mod.ts'
import { sharedData, temporaryDirectory } from '../../helpers/model-files.ts'

async function read(file: string): Promise<Arrival[]> {
  const rows: Arrival[] = []
  for await (const batch of readTrace(file)) rows.push(...batch)
  return rows
}

async function file(content: string | Uint8Array, name = 'trace'): Promise<string> {
  const path = join(await temporaryDirectory(), name)
  await writeFile(path, content)
  return path
}

const ROWS = [{ atMs: 500, input: 10, output: 2 }, { atMs: 1_250, input: 7, output: 1 }]

describe('readTrace()', () => {
  test('CSV by the names of its columns, in any order, CRLF or not', async () => {
    expect(await read(await file('arrival_s,input_tokens,output_tokens\n0.5,10,2\n1.25,7,1\n'))).toEqual(ROWS)
    expect(await read(await file('tenant,output_tokens,input_tokens,arrival_s\r\n9,2,10,0.5\r\n9,1,7,1.25'))).toEqual(
      ROWS,
    )
  })

  test("Azure's CSV, from its first row on, with seven digits of a second", async () => {
    const text =
      'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319600,3180,8\n'
    const rows = await read(await file(text))
    expect(rows).toEqual([{ atMs: 0, input: 4_808, output: 10 }, {
      atMs: expect.closeTo(52, 3),
      input: 3_180,
      output: 8,
    }])
  })

  test("Mooncake's JSON lines, and gzip", async () => {
    const text =
      '{"timestamp": 500, "input_length": 10, "output_length": 2, "hash_ids": [0]}\n{"timestamp": 1250, "input_length": 7, "output_length": 1}\n'
    expect(await read(await file(text))).toEqual(ROWS)
    expect(await read(await file(gzipSync(text), 'trace.jsonl.gz'))).toEqual(ROWS)
  })

  test.each([
    ['no columns', 'a,b,c\n1,2,3\n', /names no known columns/],
    ['nothing', '', /names no known columns|empty/],
    ['a word for a number', 'arrival_s,input_tokens,output_tokens\n0,x,2\n', /line 2/],
    ['no output', 'arrival_s,input_tokens,output_tokens\n0,5,0\n', /line 2/],
    ['a short row', 'arrival_s,input_tokens,output_tokens\n0,5\n', /line 2/],
    ['time going back', 'arrival_s,input_tokens,output_tokens\n5,5,5\n4,5,5\n', /line 3 arrives before/],
    ['broken JSON', '{"timestamp": 500, \n', /line 1/],
  ])('%s is an error that says where', async (_, text, message) => {
    await expect(read(await file(text))).rejects.toMatchObject({
      code: 'invalid_flag',
      message: expect.stringMatching(message),
    })
  })

  test('what is no file, or no gzip though it says so', async () => {
    await expect(read('/nowhere/trace.csv')).rejects.toMatchObject({ code: 'invalid_flag' })
    await expect(read(await file('arrival_s', 'trace.gz'))).rejects.toMatchObject({ code: 'invalid_flag' })
  })
})

const KNOWN = [['azure_llm_2023_code.csv.gz', 8_819], ['azure_llm_2023_conv.csv.gz', 19_366], [
  'mooncake_conversation.jsonl.gz',
  12_031,
]] as const
describe.skipIf(sharedData('traces') === undefined)('public traces', () => {
  test.each(KNOWN)('%s has its %d rows', async (name, rows) => {
    expect(await read(sharedData(`traces/${name}`)!)).toHaveLength(rows)
  })
})
