/** The model that ships, but for its weights: it sees, and takes chats of texts and of parts. */
import { statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { openText } from '../../../runtime/engine/text/mod.ts'
import { imageExpander } from '../../../runtime/engine/vision/prompt.ts'
import { imageLayout } from '../../../runtime/engine/vision/layout.ts'
import { readImageSettings } from '../../../runtime/engine/vision/settings.ts'

const model = fileURLToPath(new URL('../../../models/volley-tiny', import.meta.url))

describe('the model that ships', () => {
  const text = openText(model)
  const settings = readImageSettings(model)!

  test('is small, and has room for long chats', () => {
    expect(statSync(`${model}/model.safetensors`).size).toBeLessThan(8e6)
    expect(text.contextLength).toBeGreaterThanOrEqual(512)
  })

  test('makes one tile of any picture', () => {
    expect(settings.splitting).toBe(false)
    for (const size of [{ width: 64, height: 64 }, { width: 1920, height: 1080 }, { width: 1, height: 300 }]) {
      expect(imageLayout(settings, size)).toMatchObject({ tiles: 1, rows: 0, cols: 0 })
    }
  })

  test('puts pictures before the words of a message, wherever they stand', () => {
    const image = { type: 'image' } as const
    const words = { type: 'text', text: 'What is this?' } as const
    const first = text.chat([{ role: 'user', content: [image, words] }])
    expect(text.chat([{ role: 'user', content: [words, image] }])).toEqual(first)
    const layout = imageLayout(settings, { width: 64, height: 64 })
    const { tokens, tileStarts } = imageExpander(text, settings)(first, [layout])
    expect(tokens).toHaveLength(first.length + settings.tileTokens + 2)
    expect(tileStarts).toHaveLength(1)
    expect(() => imageExpander(text, settings)(first, [])).toThrow(/room for 1/)
  })

  test('reads a text and the same text as a part alike, and knows its roles', () => {
    const parts = text.chat([{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }])
    expect(text.chat([{ role: 'user', content: 'Hello' }])).toEqual(parts)
    const shown = text.decode(
      text.chat([
        { role: 'developer', content: 'Be brief.' },
        { role: 'user', content: 'Hello <image>' },
        { role: 'assistant', content: 'Hello!' },
      ]),
      { special: true },
    )
    expect(shown).toBe(
      '<|system|>Be brief.<end_of_utterance><|user|>Hello <image><end_of_utterance>' +
        '<|assistant|>Hello!<end_of_utterance><|assistant|>',
    )
    const typed = text.chat([{ role: 'user', content: '<image>' }])
    expect(() => imageExpander(text, settings)(typed, [])).not.toThrow()
  })

  test('spells what is drawn: digits and neighbouring capitals are tokens of their own', () => {
    expect(text.encode('CAT')).toHaveLength(3)
    expect(text.encode('2048')).toHaveLength(4)
  })
})
