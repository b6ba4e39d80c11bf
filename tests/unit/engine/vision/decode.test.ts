import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ImageDecoder } from '../../../../runtime/engine/vision/decode.ts'
import { readImageHeader } from '../../../../runtime/engine/vision/header.ts'
import { goldenPictures, hostilePictures } from '../../../helpers/hostile-pictures.ts'
import { plainImage } from '../../../helpers/idefics3-golden.ts'
import { sharedData } from '../../../helpers/model-files.ts'

const good = goldenPictures()
const hostile = hostilePictures(good)
const decoder = new ImageDecoder()
const never = new AbortController().signal

describe("ImageDecoder gives Pillow's pixels", () => {
  test.each([...good])('%s', async (_, { file, rgb, width, height }) => {
    const image = await decoder.decode(file, never)
    expect([image.width, image.height]).toEqual([width, height])
    expect(rgb.equals(image.data)).toBe(true)
    expect(readImageHeader(file).seen).toEqual({ width, height })
  })

  const images = sharedData('models/images')
  test.skipIf(images === undefined)('photographs: as a reader on zlib alone', async () => {
    for (const name of ['astronaut.png', 'camera.png', 'chelsea.png', 'horse.png']) {
      const { data } = await decoder.decode(readFileSync(join(images!, name)), never)
      expect(Buffer.from(plainImage(images!, name)!.data).equals(data)).toBe(true)
    }
  })
})

describe('ImageDecoder and hostile files', () => {
  test.each(hostile)('%s', async (_, file, outcome) => {
    if (typeof outcome === 'string') {
      await expect(decoder.decode(file, never)).rejects.toMatchObject({ code: outcome, kind: { type: 'invalid_request_error' } })
    } else {
      const { data } = await decoder.decode(file, never)
      expect(outcome.equals(data)).toBe(true)
    }
  })

  test('all of them at once take less than 150 MB', async () => {
    const before = process.resourceUsage().maxRSS
    await Promise.allSettled(hostile.map(([, file]) => decoder.decode(file, never)))
    expect((process.resourceUsage().maxRSS - before) / 1024).toBeLessThan(150)
  })

  test('every beginning of a sound file is refused, or is the picture', async () => {
    for (const name of ['PNG of a palette with alpha', 'JPEG of orientation 6', 'WebP with an orientation', 'GIF, animated']) {
      const { file, rgb } = good.get(name)!
      for (let length = 0; length < file.length; length += 1 + (file.length >> 6)) {
        const outcome = await decoder.decode(file.subarray(0, length), never).catch((error: { code: string }) => error.code)
        const sound = typeof outcome === 'string' ? /^image_(invalid|unsupported)$/.test(outcome) : rgb.equals(outcome.data)
        expect(sound, `${name}, ${length} of ${file.length} bytes`).toBe(true)
      }
    }
  })

  test('what stands behind the end of a sound file changes nothing', async () => {
    const rest = Buffer.from('rest of something else\xff\xff\xff\x7f, and more', 'latin1')
    for (const [name, { file, rgb }] of good) {
      const { data } = await decoder.decode(Buffer.concat([file, rest]), never)
      expect(rgb.equals(data), name).toBe(true)
    }
  })

  test('one flipped bit is refused, or gives a picture of the size that the header tells', async () => {
    for (const [name, { file }] of good) {
      for (let i = 0; i < 12; i++) {
        const bad = Buffer.from(file)
        const at = (i * 7919) % file.length
        bad[at] = bad[at]! ^ (1 << (i % 8))
        const outcome = await decoder.decode(bad, never).catch((error: { code: string }) => error.code)
        if (typeof outcome === 'string') expect(outcome, `${name}, byte ${at}`).toMatch(/^image_/)
        else expect(readImageHeader(bad).seen).toEqual({ width: outcome.width, height: outcome.height })
      }
    }
  })
})

describe('ImageDecoder', () => {
  const { file } = good.get('JPEG, 4:2:0')!

  test('keeps to the limits it was given', async () => {
    const limits = [{ maxBytes: file.length - 1 }, { maxPixels: 29 * 18 - 1 }, { maxSide: 28 }]
    for (const limit of limits) {
      await expect(new ImageDecoder(limit).decode(file, never)).rejects.toMatchObject({ code: 'image_too_large' })
    }
    await new ImageDecoder({ maxBytes: file.length, maxPixels: 29 * 18, maxSide: 29 }).decode(file, never)
  })

  test('a request that is cancelled gives its turn back', async () => {
    const one = new ImageDecoder({ concurrent: 1 })
    const cancel = new AbortController()
    const first = one.decode(file, never)
    const second = one.decode(file, cancel.signal)
    const third = one.decode(file, never)
    cancel.abort()
    await expect(second).rejects.toMatchObject({ code: 'cancelled' })
    await Promise.all([first, third, one.decode(file, never)])
    await expect(one.decode(file, cancel.signal)).rejects.toMatchObject({ code: 'cancelled' })
  })
})
