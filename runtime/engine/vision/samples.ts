/**
 * Samples of a decoded picture to plain RGB, with Pillow's arithmetic to the bit.
 * @module
 */

/** x / 255, rounded; exact for products of two levels. */
const by255 = (x: number): number => ((x + 128) + ((x + 128) >> 8)) >> 8

/** RGBA over white: Pillow's `alpha_composite`, whose seven extra bits round a few values otherwise than `by255`. */
export function blendOnWhite(rgba: Uint8Array): Uint8Array {
  const out = new Uint8Array((rgba.length / 4) * 3)
  for (let at = 0, to = 0; at < rgba.length; at += 4) {
    const alpha = rgba[at + 3]!
    for (let c = 0; c < 3; c++, to++) {
      const sum = (rgba[at + c]! * alpha + 255 * (255 - alpha) + 128) << 7
      out[to] = ((sum >> 8) + sum) >> 15
    }
  }
  return out
}

/** Cyan, magenta, yellow, black (255 = full ink) to light, without a profile. */
export function dropInk(cmyk: Uint8Array): Uint8Array {
  const out = new Uint8Array((cmyk.length / 4) * 3)
  for (let at = 0, to = 0; at < cmyk.length; at += 4) {
    const light = 255 - cmyk[at + 3]!
    for (let c = 0; c < 3; c++, to++) out[to] = Math.max(0, light - by255(cmyk[at + c]! * light))
  }
  return out
}

/** Grey, or grey with alpha, to three equal lights, with the alpha kept. */
export function repeatGrey(grey: Uint8Array, channels: 1 | 2): Uint8Array {
  const out = new Uint8Array((grey.length / channels) * (channels + 2))
  for (let at = 0, to = 0; at < grey.length; at += channels) {
    for (let c = 0; c < 3; c++) out[to++] = grey[at]!
    if (channels === 2) out[to++] = grey[at + 1]!
  }
  return out
}
