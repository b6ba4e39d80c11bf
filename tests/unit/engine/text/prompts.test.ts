import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { openText } from '../../../../runtime/engine/text/mod.ts'
import { type Prompts, promptsOf, type PromptText } from '../../../../runtime/engine/text/prompts.ts'
import type { TextModel } from '../../../../runtime/engine/text.ts'

const path = fileURLToPath(new URL('../../../../models/volley-tiny', import.meta.url))
const never = new AbortController().signal
const long = 'What is in the picture? 漢字😀 <|im_end|> '.repeat(3_000)
const chat = (content: string, role = 'user'): PromptText => ({ messages: [{ role, content: [{ type: 'image' }, { type: 'text', text: content }] }] })
const turn = () => new Promise((resolve) => setImmediate(resolve))

let text: TextModel
let prompts: Prompts
beforeAll(() => {
  text = openText(path)
  prompts = promptsOf(path, text)
})

describe('a long prompt', () => {
  test.each([['text', { text: long }, () => text.encode(long, { addBos: true })], ['chat', chat(long), () => text.chat((chat(long) as { messages: [] }).messages)]])(
    'is encoded as it would be here, and keeps nobody waiting: %s',
    async (_, prompt, here) => {
      let done = false
      const encoded = prompts(prompt, never).finally(() => (done = true))
      await turn()
      expect(done).toBe(false)
      expect(await encoded).toEqual(here())
    },
  )

  test('of a cancelled request is given up, and the next one has its turn', async () => {
    const abort = new AbortController()
    const [first, waits] = [prompts({ text: long.repeat(7) }, abort.signal), prompts({ text: long }, never)]
    const gone = prompts(chat(long), AbortSignal.abort())
    await expect(gone).rejects.toMatchObject({ code: 'cancelled' })
    await turn()
    abort.abort()
    await expect(first).rejects.toMatchObject({ code: 'cancelled' })
    expect(await waits).toHaveLength(text.encode(long, { addBos: true }).length)
  })

  test('that a template refuses is refused as here', async () => {
    const refused = { code: 'invalid_request', param: 'messages', remedy: expect.stringContaining('user') }
    await expect(prompts(chat(long, 'pirate'), never)).rejects.toMatchObject(refused)
    await expect(prompts(chat('Ahoy', 'pirate'), never)).rejects.toMatchObject(refused)
  })
})

test('a short prompt is encoded at once', async () => {
  let ids: number[] | undefined
  void prompts({ text: 'Hello' }, never).then((found) => (ids = found))
  await Promise.resolve().then(() => {})
  expect(ids).toEqual(text.encode('Hello', { addBos: true }))
})
