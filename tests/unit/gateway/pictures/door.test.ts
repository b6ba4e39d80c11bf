import { afterEach, describe, expect, test, vi } from 'vitest'
import { ByteBudget } from '../../../../actors/gateway/pictures/budget.ts'
import { type DoorOptions, PictureDoor } from '../../../../actors/gateway/pictures/door.ts'
import { ImageDecoder } from '../../../../runtime/engine/vision/decode.ts'
import { VolleyError } from '../../../../runtime/errors.ts'
import { testServer, type TestServer } from '../../../helpers/download-server.ts'
import { goldenPictures } from '../../../helpers/hostile-pictures.ts'
import { VirtualClock } from '../../../helpers/virtual-clock.ts'
import { dataUrlOf } from '../../../helpers/vision-front.ts'

const good = goldenPictures()
const { file } = good.get('PNG of 8-bit RGB')!
const other = good.get('JPEG, 4:2:0')!.file
const never = new AbortController().signal
const budget = new ByteBudget(1 << 30)
const wanted = (...urls: string[]) => urls.map((url, i) => ({ url, param: `p${i}` }))

let server: TestServer | undefined
afterEach(async () => {
  vi.restoreAllMocks()
  await server?.close()
  server = undefined
})

/** A door that reaches a local server as pictures.test. */
async function doorTo(answer: Parameters<typeof testServer>[0], options: DoorOptions = {}) {
  server = await testServer(answer)
  const { port } = new URL(server.url)
  const remote = { resolve: async () => ['127.0.0.1'], mayConnect: () => true }
  return { door: new PictureDoor({ hosts: [`pictures.test:${port}`], remote, ...options }), at: `http://pictures.test:${port}` }
}

describe('PictureDoor.load()', () => {
  test('fetches a URL once and keeps a file once, whatever names it has', async () => {
    const { door, at } = await doorTo((request, response) => response.end(request.url === '/other' ? other : file))
    const urls = [`${at}/a`, `${at}/b`, `${at}/a`, dataUrlOf(file), `${at}/other`]
    const pictures = await door.load(wanted(...urls), never, budget.hold())
    expect(server!.requests.toSorted()).toEqual(['GET /a', 'GET /b', 'GET /other'])
    expect(new Set(pictures.map((picture) => picture.file)).size).toBe(2)
    expect(pictures.map(({ header }) => header.format)).toEqual(['png', 'png', 'png', 'png', 'jpeg'])
    expect(pictures[0]!.digest).toMatch(/^[0-9a-f]{64}$/)
  })

  test('what a host calls a picture must be one', async () => {
    const page = '<!doctype html><title>Not found</title>'
    const { door, at } = await doorTo((_, response) => response.writeHead(200, { 'content-type': 'image/png' }).end(page))
    await expect(door.load(wanted(dataUrlOf(file), `${at}/`), never, budget.hold()))
      .rejects.toMatchObject({ code: 'image_unsupported', param: 'p1', message: /HTML/ })
    const { door: png, at: site } = await doorTo((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(file))
    expect(await png.load(wanted(`${site}/`), never, budget.hold())).toHaveLength(1)
  })

  test('fetches so many at once over all requests', async () => {
    let running = 0
    let most = 0
    const { door, at } = await doorTo((_, response) => {
      most = Math.max(most, ++running)
      setTimeout(() => {
        running--
        response.end(file)
      }, 5)
    }, { fetches: 2 })
    await Promise.all([0, 1, 2].map((r) => door.load(wanted(...[0, 1, 2].map((i) => `${at}/${r}${i}`)), never, budget.hold())))
    expect([most, server!.requests.length]).toEqual([2, 9])
  })

  test('one that fails ends the others', async () => {
    let closed = 0
    const { door, at } = await doorTo((request, response) => {
      response.on('close', () => closed++)
      if (request.url === '/bad') setTimeout(() => response.writeHead(404).end(), 20)
    })
    const hold = budget.hold()
    await expect(door.load(wanted(`${at}/1`, `${at}/2`, `${at}/bad`), never, hold)).rejects.toMatchObject({ code: 'image_fetch_failed', param: 'p2' })
    while (closed < 3) await new Promise((resolve) => setTimeout(resolve, 5))
  })

  test('gives up when its time is over, and when its caller has gone', async () => {
    const clock = new VirtualClock()
    const { door, at } = await doorTo(() => {}, { clock, fetchMs: 60_000, waitMs: 30_000 })
    const late = door.load(wanted(`${at}/`), never, budget.hold()).catch((error: VolleyError) => error)
    const gone = new AbortController()
    const left = door.load(wanted(`${at}/`), gone.signal, budget.hold()).catch((error: VolleyError) => error)
    gone.abort()
    expect(await left).toMatchObject({ code: 'cancelled' })
    await clock.advance(30_000)
    expect(await late).toMatchObject({ code: 'overloaded', message: /30000 ms/ })
  })

  test('holds the bytes of what it keeps, and says when there is no room', async () => {
    const own = new ByteBudget(1 << 20)
    const hold = own.hold()
    const long = Buffer.concat([file, Buffer.alloc(1.5 * (1 << 20))])
    await new PictureDoor().load(wanted(dataUrlOf(long)), never, hold)
    expect(own.counted).toBe(long.length - (1 << 20))
    await expect(new PictureDoor().load(wanted(dataUrlOf(Buffer.concat([long, file]))), never, hold)).rejects.toMatchObject({ code: 'overloaded' })
  })
})

describe('PictureDoor.check()', () => {
  test('waits for its turn only so long', async () => {
    const clock = new VirtualClock()
    const door = new PictureDoor({ clock, waitMs: 30_000 })
    vi.spyOn(ImageDecoder.prototype, 'decode').mockImplementation((_, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new VolleyError('cancelled', 'Gone'))))
    )
    const pictures = await door.load(wanted(dataUrlOf(file)), never, budget.hold())
    const late = door.check(pictures, never).catch((error: VolleyError) => error)
    await clock.advance(30_000)
    expect(await late).toMatchObject({ code: 'overloaded' })
    const gone = new AbortController()
    const left = door.check(pictures, gone.signal).catch((error: VolleyError) => error)
    gone.abort()
    expect(await left).toMatchObject({ code: 'cancelled' })
  })

  test('remembers what was sound, and not what was not', async () => {
    const decode = vi.spyOn(ImageDecoder.prototype, 'decode')
    const door = new PictureDoor()
    const sound = await door.load(wanted(dataUrlOf(file), dataUrlOf(file, 'image/gif')), never, budget.hold())
    const broken = await door.load(wanted(dataUrlOf(other.subarray(0, -200))), never, budget.hold())
    for (let i = 0; i < 2; i++) {
      await door.check(sound, never)
      await expect(door.check(broken, never)).rejects.toMatchObject({ code: 'image_invalid', param: 'p0' })
    }
    expect(decode).toHaveBeenCalledTimes(3)
  })
})
