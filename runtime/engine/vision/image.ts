/**
 * A picture in memory, between the decoders and the image processor. Knows neither.
 * @module
 */

/** Eight bits a channel, no alpha. */
export interface RgbImage {
  width: number
  height: number
  /** [height, width, 3], row-major. */
  data: Uint8Array
}
