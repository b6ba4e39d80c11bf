import { describe, expect, test } from 'vitest'
import { ByteBudget } from '../../../actors/gateway/pictures/budget.ts'
import { VolleyError } from '../../../runtime/errors.ts'
import type { Script } from '../../helpers/fake-front.ts'
import { goldenPictures, hostilePictures } from '../../helpers/hostile-pictures.ts'
import { type Loose, post } from '../../helpers/http.ts'
import { lacks } from '../../helpers/lacks.ts'
import { dataUrlOf, imagePart, visionApp, visionModels } from '../../helpers/vision-front.ts'

const blind = lacks(visionModels.length === 0, 'no model that sees is here')
const MIB = 1 << 20
const good = goldenPictures()
/** A sound file of so many bytes. */
const long = (bytes: number) => {
  const { file } = good.get('PNG of 8-bit RGB')!
  return Buffer.concat([file, Buffer.alloc(bytes - file.length)])
}
const path = visionModels[0]!

describe.skipIf(blind)('bytes that requests hold', () => {
  // A request of this takes 2.67 MiB while it is read, half of one when it is open; its first mebibyte is not counted.
  const part = imagePart(dataUrlOf(long(1.5 * MIB)))
  const limits = { pictureBodyBytes: 2.5 * MIB, heldBytes: 5 * MIB }

  function asking(script: Script) {
    const made = visionApp(path, { limits })
    made.front.script = script
    const ask = (more: object = {}, signal?: AbortSignal) => {
      const body = { model: made.text.name, messages: [{ role: 'user', content: [part] }], max_tokens: 1, ...more }
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), ...(signal && { signal }) }
      return Promise.resolve(made.app.request('/v1/chat/completions', init))
    }
    return { ...made, ask }
  }

  test('open requests make newcomers wait, until they end', async () => {
    const { ask, front } = asking({ hangAfter: 0 })
    const stop = new AbortController()
    const open: Promise<Response>[] = []
    for (let i = 0; i < 5; i++) {
      open.push(ask({}, stop.signal))
      while (front.submissions.length <= i) await new Promise((resolve) => setTimeout(resolve, 2))
    }
    const refused = await ask()
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
    expect(await refused.json()).toMatchObject({ error: { code: 'overloaded', type: 'rate_limit_error' } })
    const text = await ask({ messages: [{ role: 'user', content: 'no picture' }], stream: true })
    expect(text.status).toBe(200)
    await text.body!.cancel()
    stop.abort()
    await Promise.all(open)
    front.script = { says: [[1]] }
    expect((await ask()).status).toBe(200)
  })

  const fails = { failAfter: { steps: 0, error: new VolleyError('engine_failed', 'Boom') } }
  test.each<[string, Script, object]>([
    ['an answer', { says: [[1]] }, {}],
    ['a stream', { says: [[1]] }, { stream: true }],
    ['a failure', fails, {}],
    ['a failure in a stream', fails, { stream: true }],
    ['a refusal', { refuse: new VolleyError('no_instance', 'Nobody') }, {}],
    ['a request that is wrong', {}, { temperature: 9 }],
    ['a context that is too short', {}, { max_tokens: 1_000_000 }],
    ['a picture that is none', {}, { messages: [{ role: 'user', content: [part, imagePart(dataUrlOf(Buffer.from('x')))] }] }],
    ['a stream whose reader goes', { hangAfter: 0 }, { stream: true, leave: true }],
  ])('the end of %s gives them back', async (_, script, { leave, ...more }: Loose) => {
    const { ask } = asking(script)
    for (let i = 0; i < 12; i++) {
      const response = await ask(more)
      expect(response.status).not.toBe(429)
      if (leave) await response.body!.cancel()
      else await response.text()
    }
  })
})

describe.skipIf(blind)('memory', () => {
  test('all hostile files at once, through HTTP, take less than 250 MB', async () => {
    const { app, text } = visionApp(path)
    const bodies = hostilePictures(good).map(([, file]) =>
      JSON.stringify({ model: text.name, messages: [{ role: 'user', content: [imagePart(dataUrlOf(file))] }], max_tokens: 1 })
    )
    const before = process.resourceUsage().maxRSS
    const answers = await Promise.all(bodies.map((body) => post(app, '/v1/chat/completions', body)))
    expect(answers.filter(({ status }) => status >= 500 || status === 429)).toEqual([])
    expect((process.resourceUsage().maxRSS - before) / 1024).toBeLessThan(250)
  })

  test('a body of very many values is refused before it is parsed', async () => {
    const { app, text } = visionApp(path)
    const many = `{"model":"${text.name}","messages":[${'[],'.repeat(8 * MIB)}[]]}`
    const response = await post(app, '/v1/chat/completions', many)
    expect([response.status, (await response.json() as Loose).error.code]).toEqual([413, 'body_too_large'])
  })

  test('the budget has room for the longest body and its pictures', () => {
    expect(() => new ByteBudget(2 * 32 * MIB).hold().add(1.75 * 32 * MIB)).not.toThrow()
  })
})
