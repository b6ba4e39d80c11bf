import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { SubmittedPicture } from '../../../../actors/gateway/front.ts'
import { offerPictures } from '../../../../actors/gateway/pictures/offer.ts'
import { MemoryServer } from '../../../../runtime/bus/memory-server.ts'
import { memoryBus } from '../../../../runtime/bus/memory.ts'
import { realClock } from '../../../../runtime/clock.ts'
import { directPlane } from '../../../../runtime/transfer/direct.ts'
import type { Ticket, TransferPlane } from '../../../../runtime/transfer/plane.ts'

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const MOST_TILES = 17

let plane: TransferPlane
let reader: TransferPlane
beforeEach(async () => {
  const server = new MemoryServer(realClock)
  // As long as names and addresses of production are.
  const make = (owner: string) =>
    directPlane({ owner, incarnation: 'x'.repeat(26), bus: memoryBus(server, { name: owner }), digestOf })
  plane = await make('gateway-0123456789abcdef-0')
  reader = await make('instance-0123456789abcdef-0')
})
afterEach(async () => {
  await reader.close()
  await plane.close()
})

const picture = (nth: number): SubmittedPicture => ({
  key: digestOf(new Uint8Array([nth])),
  whole: false,
  starts: Array.from({ length: MOST_TILES }, (_, tile) => 100_000 + (nth * MOST_TILES + tile) * 64),
  file: new Uint8Array([nth, nth]),
})
const pictures = (count: number): SubmittedPicture[] => Array.from({ length: count }, (_, nth) => picture(nth))

test('as many pictures as a request may have, each cut as finely as can be, are offered and can be read', async () => {
  const { images, release } = offerPictures(plane, 'req-0123456789abcdef', pictures(32))
  const ticket = images[31]!.ticket as unknown as Ticket
  const { bytes } = await reader.pull(ticket, { attempt: 1, timeoutMs: 2_000 })
  expect([...bytes]).toEqual([31, 31])
  release()
  await expect(reader.pull(ticket, { attempt: 1, timeoutMs: 2_000 })).rejects.toThrow()
})

test('more than a hop can name are refused, and none stays offered', () => {
  const offered: Ticket[] = []
  const released: Ticket[] = []
  const watched: TransferPlane = {
    ...plane,
    offer: (...args) => {
      const ticket = plane.offer(...args)
      offered.push(ticket)
      return ticket
    },
    release: (ticket) => void (released.push(ticket), plane.release(ticket)),
  }
  expect(() => offerPictures(watched, 'req-0123456789abcdef', pictures(200)))
    .toThrow(expect.objectContaining({ code: 'invalid_request' }))
  expect(released).toEqual(offered)
  expect(offered).toHaveLength(200)
})
