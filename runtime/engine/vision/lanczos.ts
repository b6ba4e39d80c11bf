/**
 * Resizes pictures as torchvision does uint8 tensors on a CPU: antialiased Lanczos of three lobes with 16-bit weights,
 * across first, rounded to 8 bits, then down. Bits matter: a resampler that differs by one level in a hundredth of the
 * pixels moves an encoder's output by 2e-3. Knows nothing of models.
 * Arithmetic: `_compute_index_ranges_int16_weights` of PyTorch (UpSampleKernel.cpp).
 * @module
 */
import { cosSin } from '../portable-math.ts'
import type { RgbImage } from './image.ts'

const LOBES = 3

/** Weights of every output position along one axis: `taps` a position, those past its own count are zero. */
interface AxisWeights {
  taps: number
  /** First input position of each output position. */
  from: Int32Array
  /** Input positions each output position reads. */
  counts: Int32Array
  /** [positions, taps], scaled by 2^precision. */
  values: Int16Array
  precision: number
}

/** A fresh picture of the wanted size; the picture itself where that is its size already. */
export function resizeLanczos(image: RgbImage, width: number, height: number): RgbImage {
  const across = width === image.width ? image : resizeAcross(image, width)
  return height === image.height ? across : resizeDown(across, height)
}

function lanczos(x: number): number {
  if (x === 0) return 1
  if (x < -LOBES || x >= LOBES) return 0
  const t = Math.abs(x) * Math.PI
  const window = t / LOBES
  return (cosSin(t)[1] / t) * (cosSin(window)[1] / window)
}

function axisWeights(input: number, output: number): AxisWeights {
  const scale = input / output
  const stretch = Math.max(scale, 1)
  const support = LOBES * stretch
  const taps = Math.ceil(support) * 2 + 1
  const from = new Int32Array(output)
  const counts = new Int32Array(output)
  const exact = new Float64Array(output * taps)
  let largest = 0
  for (let i = 0; i < output; i++) {
    const center = scale * (i + 0.5)
    const first = Math.max(Math.trunc(center - support + 0.5), 0)
    const count = Math.min(Math.max(Math.min(Math.trunc(center + support + 0.5), input) - first, 0), taps)
    from[i] = first
    counts[i] = count
    let sum = 0
    for (let j = 0; j < count; j++) {
      const weight = lanczos((j + first - center + 0.5) * (1 / stretch))
      exact[i * taps + j] = weight
      sum += weight
    }
    for (let j = i * taps; j < i * taps + count; j++) {
      exact[j] = exact[j]! / sum
      largest = Math.max(largest, exact[j]!)
    }
  }
  let precision = 0
  while (precision < 22 && Math.trunc(0.5 + largest * 2 ** (precision + 1)) < 32768) precision++
  // Half away from zero.
  const values = Int16Array.from(exact, (w) => Math.trunc(w * 2 ** precision + (w < 0 ? -0.5 : 0.5)))
  return { taps, from, counts, values, precision }
}

const level = (sum: number, precision: number): number => {
  const value = sum >> precision
  return value < 0 ? 0 : value > 255 ? 255 : value
}

function resizeAcross({ width: before, height, data }: RgbImage, width: number): RgbImage {
  const { taps, from, counts, values, precision } = axisWeights(before, width)
  const half = 1 << (precision - 1)
  const out = new Uint8Array(width * height * 3)
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      let at = (y * before + from[x]!) * 3
      let r = half
      let g = half
      let b = half
      for (let j = x * taps, end = j + counts[x]!; j < end; j++, at += 3) {
        const weight = values[j]!
        r += weight * data[at]!
        g += weight * data[at + 1]!
        b += weight * data[at + 2]!
      }
      out[to] = level(r, precision)
      out[to + 1] = level(g, precision)
      out[to + 2] = level(b, precision)
    }
  }
  return { width, height, data: out }
}

/** Four samples of a row share the walk over its taps; what is left of a row goes one by one. */
function resizeDown({ width, height: before, data }: RgbImage, height: number): RgbImage {
  const { taps, from, counts, values, precision } = axisWeights(before, height)
  const half = 1 << (precision - 1)
  const stride = width * 3
  const out = new Uint8Array(stride * height)
  for (let y = 0; y < height; y++) {
    const first = y * taps
    const end = first + counts[y]!
    const top = from[y]! * stride
    const to = y * stride
    let x = 0
    for (; x + 4 <= stride; x += 4) {
      let a = half
      let b = half
      let c = half
      let d = half
      for (let j = first, at = top + x; j < end; j++, at += stride) {
        const weight = values[j]!
        a += weight * data[at]!
        b += weight * data[at + 1]!
        c += weight * data[at + 2]!
        d += weight * data[at + 3]!
      }
      out[to + x] = level(a, precision)
      out[to + x + 1] = level(b, precision)
      out[to + x + 2] = level(c, precision)
      out[to + x + 3] = level(d, precision)
    }
    for (; x < stride; x++) {
      let sum = half
      for (let j = first, at = top + x; j < end; j++, at += stride) sum += values[j]! * data[at]!
      out[to + x] = level(sum, precision)
    }
  }
  return { width, height, data: out }
}
