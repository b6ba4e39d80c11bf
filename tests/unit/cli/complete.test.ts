import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { listen } from '../../../actors/gateway/http/listen.ts'
import { complete } from '../../../cli/complete.ts'
import { dataUrl } from '../../../cli/image.ts'
import { goldenPictures } from '../../helpers/hostile-pictures.ts'
import { lacks } from '../../helpers/lacks.ts'
import { temporaryDirectory } from '../../helpers/model-files.ts'
import { visionApp, visionModels } from '../../helpers/vision-front.ts'

const blind = lacks(visionModels.length === 0, 'no model that sees is here')
describe.skipIf(blind)('run --image', () => {
  const directory = temporaryDirectory()
  const fileOf = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(directory, name), bytes)
    return join(directory, name)
  }

  async function ask(path: string) {
    const { app, front, text } = visionApp(visionModels[0]!)
    front.script = { says: [[...text.encode('A picture.'), text.endTokens[0]!]] }
    const server = await listen({ app, port: 0, host: '127.0.0.1' })
    let said = ''
    const answer = await complete({
      url: server.url, prompt: 'What is this?', image: await dataUrl(path), signal: new AbortController().signal,
      onText: (piece) => void (said += piece),
    }).finally(() => server.close({ force: true }))
    return { said, answer, submission: front.submissions[0]! }
  }

  test('sends the file, and counts its tokens', async () => {
    const { file } = goldenPictures().get('JPEG, 4:2:0')!
    const { said, answer, submission } = await ask(fileOf('a.jpg', file))
    expect(said).toBe('A picture.')
    expect(submission.pictures.map((picture) => Buffer.from(picture.file))).toEqual([file])
    expect(answer.promptTokens).toBe(submission.prompt.length)
  })

  test('says what is wrong with it', async () => {
    await expect(ask(fileOf('b.png', Buffer.from('<svg/>')))).rejects.toMatchObject({ code: 'image_unsupported', param: 'messages[0].content[1]' })
    await expect(ask(join(directory, 'none.png'))).rejects.toMatchObject({ code: 'invalid_flag' })
  })
})
