/** The pictures that ship: the model that ships is right about every one of them. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { noSystem, startSystem, type System, testModel } from '../../helpers/system.ts'

const folder = fileURLToPath(new URL('../../../models/pictures/', import.meta.url))
const shipped = testModel.endsWith('volley-tiny')

interface Example {
  picture: string
  questions: { question: string; answer: string }[]
}
const examples = JSON.parse(readFileSync(`${folder}questions.json`, 'utf8')) as Example[]
const missing = noSystem ?? (shipped ? undefined : 'the pictures that ship are for the model that ships')
if (missing) console.log(`the pictures that ship are not asked about: ${missing}`)

describe.skipIf(missing !== undefined)('the pictures that ship', () => {
  let system: System
  beforeAll(async () => {
    system = await startSystem({ labels: 'encode=1,prefill=1,decode=1' })
  }, 120_000)
  afterAll(() => system?.close())

  it.each(examples)('$picture', async ({ picture, questions }) => {
    const url = `data:image/png;base64,${readFileSync(folder + picture).toString('base64')}`
    for (const { question, answer } of questions) {
      const content = [{ type: 'image_url', image_url: { url } }, { type: 'text', text: question }]
      const asked = { path: 'chat/completions', messages: [{ role: 'user', content }], temperature: 0 } as const
      const { status, text } = await system.http.ask(asked)
      expect(status).toBe(200)
      const { choices: [choice] } = JSON.parse(text) as { choices: { message: { content: string } }[] }
      expect({ question, answer: choice!.message.content }).toEqual({ question, answer })
    }
  }, 60_000)
})
