import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { imageLayout } from '../../../runtime/engine/vision/layout.ts'
import { goldenPictures } from '../../helpers/hostile-pictures.ts'
import { post } from '../../helpers/http.ts'
import { visionCases } from '../../helpers/idefics3-golden.ts'
import { sharedData } from '../../helpers/model-files.ts'
import { dataUrlOf, imagePart, visionApp, visionModels } from '../../helpers/vision-front.ts'

const CHAT = '/v1/chat/completions'
const good = goldenPictures()
const picture = good.get('PNG of 8-bit RGB')!.file
const golden = sharedData('models/idefics3_tiny')
const images = sharedData('models/images')

describe.skipIf(golden === undefined || images === undefined)('chats with pictures become what transformers makes of them', () => {
  test.each(golden === undefined ? [] : visionCases(golden))('$images', async (one) => {
    const { app, front, side } = visionApp(golden!)
    const messages = one.messages.map(({ role, content }) => ({
      role,
      content: content.map((part) =>
        part.type === 'text' ? part : imagePart(dataUrlOf(readFileSync(join(images!, part.image)), 'image/whatever'))
      ),
    }))
    const response = await post(app, CHAT, { model: 'idefics3_tiny', messages, max_tokens: 1 })
    expect(await response.json()).toMatchObject({ usage: { prompt_tokens: one.input_ids.length } })
    const { prompt, pictures } = front.submissions[0]!
    expect(prompt).toEqual(one.input_ids)
    expect(pictures.map(({ file }) => Buffer.from(file).toString('base64')))
      .toEqual(one.images.map((name) => readFileSync(join(images!, name), 'base64')))
    const room = pictures.flatMap(({ starts }) => starts).flatMap((start) => Array.from({ length: side.settings.tileTokens }, (_, i) => start + i))
    expect(room).toEqual(prompt.flatMap((id, at) => (id === 276 ? [at] : [])))
  })
})

describe.skipIf(visionModels.length === 0).each(visionModels.map((path) => [basename(path), path]))('a chat with pictures: %s', (name, path) => {
  const ask = async (content: unknown, more: object = {}) => {
    const made = visionApp(path)
    const response = await post(made.app, CHAT, { model: name, messages: [{ role: 'user', content }], max_tokens: 1, ...more })
    return { ...made, response, body: await response.json() as Record<string, any>, submission: made.front.submissions[0] }
  }

  test('detail: low is not cut, auto and high are as the model is used to', async () => {
    const url = dataUrlOf(picture)
    const { submission, side } = await ask([imagePart(url, 'low'), imagePart(url, 'high'), imagePart(url, 'auto'), { type: 'image_url', image_url: url }])
    const { tiles } = imageLayout(side.settings, good.get('PNG of 8-bit RGB')!)
    expect(submission!.pictures.map(({ whole, starts }) => [whole, starts.length])).toEqual([[true, 1], [false, tiles], [false, tiles], [false, tiles]])
    const [low, ...others] = submission!.pictures.map(({ key }) => key)
    expect(low).toMatch(/^[0-9a-f]{64}$/)
    expect(new Set(others).size).toBe(1)
    expect(low === others[0]).toBe(!side.settings.splitting)
  })
})
