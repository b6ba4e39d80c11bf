import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { GgufFile } from '../../../../runtime/engine/load/gguf.ts'
import { openModel } from '../../../../runtime/engine/load/mod.ts'
import { isVolleyError } from '../../../../runtime/errors.ts'
import { openText } from '../../../../runtime/engine/text/mod.ts'
import { ggufBytes, temporaryDirectory, writeDirectory } from '../../../helpers/model-files.ts'
import { tinyConfig, tinyGguf, tinyMetadata, tinySafetensors } from '../../../helpers/tiny-model.ts'

const root = temporaryDirectory()

/** A small generator (mulberry32), so that a failing file can be made again. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** Damages a header: bytes changed, a length made absurd, a piece cut out, the end cut off. */
function mutate(original: Buffer, header: number, seed: number): Buffer {
  const next = generator(seed)
  const bytes = Buffer.from(original)
  switch (seed % 4) {
    case 0:
      for (let i = 0; i <= next(4); i++) bytes[next(header)] = next(256)
      return bytes
    case 1: {
      const value = [0xffffffffffffffffn, 1n << 62n, 1n << 40n, 0x7fffffffn, 0n][next(5)]!
      bytes.writeBigUInt64LE(value, next(header - 8))
      return bytes
    }
    case 2: {
      const at = next(header)
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + next(16))])
    }
    default:
      return bytes.subarray(0, next(bytes.length))
  }
}

/** Opens and reads everything; anything but success or a typed error fails. */
function survive(open: () => void, what: string): 'opened' | 'refused' {
  try {
    open()
    return 'opened'
  } catch (error) {
    expect(isVolleyError(error), `${what}: ${error instanceof Error ? error.stack : error}`).toBe(true)
    return 'refused'
  }
}

function readAll(path: string): void {
  const model = openModel(path)
  try {
    for (const name of ['embed', 'norm', '0.q', '1.down']) model.read(name)
  } finally {
    model.close()
  }
}

describe('damaged headers', () => {
  const vocabulary = Array.from({ length: 12 }, (_, i) => 'abcdefghijkl'[i]!)
  const gguf = tinyGguf(tinyMetadata({
    'tokenizer.ggml.model': ['string', 'llama'],
    'tokenizer.ggml.tokens': ['strings', vocabulary],
    'tokenizer.ggml.scores': ['f32s', vocabulary.map((_, i) => -i)],
    'tokenizer.ggml.token_type': ['i32s', vocabulary.map(() => 1)],
    'tokenizer.chat_template': ['string', '{{ messages[0].content }}'],
  }))

  test('200 GGUF files: opened or refused with a typed error, never a crash or a huge allocation', () => {
    const header = gguf.indexOf('blk.1.ffn_down.weight') + 60
    const seen = { opened: 0, refused: 0 }
    const before = process.memoryUsage().rss
    for (let seed = 0; seed < 200; seed++) {
      const path = join(root, 'mutant.gguf')
      writeFileSync(path, mutate(gguf, header, seed))
      seen[survive(() => readAll(path), `GGUF seed ${seed}`)]++
      survive(() => openText(path).encode('abc'), `text of GGUF seed ${seed}`)
    }
    expect(seen.refused).toBeGreaterThan(100)
    expect(process.memoryUsage().rss - before).toBeLessThan(256e6)
  })

  test('200 safetensors files', () => {
    const weights = tinySafetensors()
    const header = 8 + Number(weights.readBigUInt64LE())
    const seen = { opened: 0, refused: 0 }
    for (let seed = 0; seed < 200; seed++) {
      const files = { 'config.json': tinyConfig(), 'model.safetensors': mutate(weights, header, seed) }
      seen[survive(() => readAll(writeDirectory(root, 'mutant', files)), `safetensors seed ${seed}`)]++
    }
    expect(seen.refused).toBeGreaterThan(100)
  })

  test('counts that no file of this size can hold are refused before anything is allocated', () => {
    for (const counts of [[2 ** 40, 0], [0, 2 ** 40]] as [number, number][]) {
      const path = join(root, 'counts.gguf')
      writeFileSync(path, ggufBytes({}, [], { counts }))
      expect(() => new GgufFile(path)).toThrow(/cut short or damaged/)
    }
  })

  test('tensors behind 2 GiB are read: the file is never held as a whole', () => {
    const far = 3 * 2 ** 30
    const path = join(root, 'far.gguf')
    const tensor = (name: string) => ({ name, type: 0, shape: [4], data: new Uint8Array(16) })
    const bytes = ggufBytes({}, [tensor('near'), tensor('far')])
    // The second tensor's offset (32) becomes 3 GiB; the file is sparse.
    const at = bytes.lastIndexOf(Buffer.from([32, 0, 0, 0, 0, 0, 0, 0]))
    bytes.writeBigUInt64LE(BigInt(far), at)
    const start = bytes.length - 64
    const fd = openSync(path, 'w')
    writeSync(fd, bytes)
    ftruncateSync(fd, start + far + 16)
    writeSync(fd, new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer), 0, 16, start + far)
    closeSync(fd)
    const file = new GgufFile(path)
    const entry = file.tensors.get('far')!
    expect([...new Float32Array(file.file.read(entry.offset, entry.bytes).buffer)]).toEqual([1, 2, 3, 4])
    file.close()
  })
})
