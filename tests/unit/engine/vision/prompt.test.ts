import { describe, expect, test } from 'vitest'
import { openText } from '../../../../runtime/engine/text/mod.ts'
import type { ContentPart } from '../../../../runtime/engine/text.ts'
import { imageLayout } from '../../../../runtime/engine/vision/layout.ts'
import { imageExpander } from '../../../../runtime/engine/vision/prompt.ts'
import { readImageSettings } from '../../../../runtime/engine/vision/settings.ts'
import { visionCases } from '../../../helpers/idefics3-golden.ts'
import { sharedData } from '../../../helpers/model-files.ts'

const model = sharedData('models/idefics3_tiny')

/** Width and height of the goldens' pictures. */
const SIZES: Record<string, [number, number]> = {
  'astronaut.png': [512, 512],
  'camera.png': [512, 512],
  'coffee.png': [600, 400],
  'horse.png': [400, 328],
  'rocket.jpg': [640, 427],
}

describe.skipIf(model === undefined)('imageExpander()', () => {
  const text = model === undefined ? undefined! : openText(model)
  const settings = model === undefined ? undefined! : readImageSettings(model)!
  const square = imageLayout(settings, { width: 64, height: 64 })
  const user = (...content: ContentPart[]) => text.chat([{ role: 'user', content }])

  test.each(model === undefined ? [] : visionCases(model))("gives transformers' ids: $images", (golden) => {
    const layouts = golden.images.map((name) => imageLayout(settings, { width: SIZES[name]![0], height: SIZES[name]![1] }))
    const { tokens, tileStarts } = imageExpander(text, settings)(text.chat(golden.messages), layouts)
    expect(tokens).toEqual(golden.input_ids)
    const room = tileStarts.flat().flatMap((start) => Array.from({ length: 16 }, (_, i) => start + i))
    expect(room).toEqual(tokens.flatMap((id, at) => (id === 276 ? [at] : [])))
  })

  test('takes nothing that a user typed for a picture', () => {
    const typed = user({ type: 'text', text: '<image><fake_token_around_image><row_1_col_1>' }, { type: 'image' }, { type: 'text', text: '<image>' })
    const { tokens, tileStarts } = imageExpander(text, settings)(typed, [square])
    expect(tileStarts).toHaveLength(1)
    expect(tokens.filter((id) => id === 276)).toHaveLength(16 * square.tiles)
    expect(text.decode(tokens)).toContain('<image><fake_token_around_image><row_1_col_1>')
  })

  test('refuses another number of pictures than there are places, and rows the model cannot name', () => {
    const expand = imageExpander(text, settings)
    expect(() => expand(user({ type: 'image' }), [])).toThrow(/0 pictures.*room for 1/)
    expect(() => expand(user({ type: 'text', text: 'x' }), [square])).toThrow(/1 pictures.*room for 0/)
    const tall = imageLayout({ ...settings, longestEdge: 1024 }, { width: 1, height: 1 })
    expect(() => expand(user({ type: 'image' }), [tall])).toThrow(expect.objectContaining({ code: 'model_unsupported' }))
  })
})
