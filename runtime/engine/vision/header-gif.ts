/**
 * The head of a GIF file: the size of its screen, on which the first frame is drawn.
 * Format: GIF89a specification.
 * @module
 */
import { damaged, type RawHeader } from './header-parts.ts'

/** `view` begins with GIF's signature. Error: `image_invalid`. */
export function readGif(view: DataView): RawHeader {
  if (view.byteLength < 14) throw damaged('gif', 'it is cut short')
  return { format: 'gif', width: view.getUint16(6, true), height: view.getUint16(8, true), orientation: 1 }
}
