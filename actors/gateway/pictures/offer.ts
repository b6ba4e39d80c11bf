/**
 * Files of open requests' pictures, offered for as long as their request is open here: every instance that encodes a part
 * pulls them by their ticket, as often as it must.
 * @module
 */
import { VolleyError } from '../../../runtime/errors.ts'
import type { JsonObject } from '../../../runtime/json.ts'
import type { PictureRef } from '../../../runtime/machine/generate.ts'
import type { Ticket, TransferPlane } from '../../../runtime/transfer/plane.ts'
import { digestOf } from '../../digest.ts'
import type { SubmittedPicture } from '../front.ts'

/** References of one request: with its prompt and with its vectors' references they must fit a hop. */
const MAX_REFS_BYTES = 40 * 1024

export interface OfferedPictures {
  images: PictureRef[]
  /** Ends the offers. */
  release(): void
}

/** Error: `invalid_request` where there are too many. */
export function offerPictures(plane: TransferPlane, id: string, pictures: readonly SubmittedPicture[]): OfferedPictures {
  const tickets: Ticket[] = []
  const release = (): void => tickets.forEach((ticket) => plane.release(ticket))
  const images = pictures.map(({ key, whole, starts, file }): PictureRef => {
    const source = { bytes: file.length, read: async () => ({ bytes: file, digest: await digestOf(file) }) }
    const ticket = plane.offer(source, { id, attempt: 0, leaseMs: Infinity, shared: true })
    tickets.push(ticket)
    return { key, whole, starts, bytes: file.length, ticket: ticket as unknown as JsonObject }
  })
  if (JSON.stringify(images).length <= MAX_REFS_BYTES) return { images, release }
  release()
  throw new VolleyError('invalid_request', `Cannot take ${pictures.length} pictures in one request`, { remedy: 'send fewer of them' })
}
