/**
 * Picture files that somebody made to do harm, or that broke on their way: each with what must come of it.
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, deflateSync, gunzipSync, gzipSync } from 'node:zlib'
import type { ErrorCode } from '../../runtime/errors.ts'

export interface GoldenPicture {
  file: Buffer
  width: number
  height: number
  rgb: Buffer
}

/** Pictures that are served, by what they are, with Pillow's pixels. */
export function goldenPictures(): Map<string, GoldenPicture> {
  const path = join(import.meta.dirname, '../golden/pictures/pictures.json.gz')
  const raw = JSON.parse(gunzipSync(readFileSync(path)).toString('utf8')) as Record<
    string,
    { file: string; width: number; height: number; rgb: string }
  >
  const decoded = Object.entries(raw).map(([name, { file, rgb, width, height }]) =>
    [name, { file: Buffer.from(file, 'base64'), rgb: Buffer.from(rgb, 'base64'), width, height }] as const
  )
  return new Map(decoded)
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function pngChunk(type: string, body: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body])
  return Buffer.concat([u32(body.length), named, u32(crc32(named))])
}

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')

interface PngParts {
  depth?: number
  colour?: number
  /** Between header and pixels. */
  before?: Buffer[]
  /** The packed pixels. */
  body?: Uint8Array
  end?: Buffer[]
}

/** A PNG of black pixels, or of whatever the parts say. */
function png(width: number, height: number, parts: PngParts = {}): Buffer {
  const { depth = 8, colour = 2, before = [], body, end = [pngChunk('IEND', Buffer.alloc(0))] } = parts
  const packed = body ?? deflateSync(Buffer.alloc((width * 3 + 1) * height))
  const header = Buffer.concat([u32(width), u32(height), Buffer.from([depth, colour, 0, 0, 0])])
  return Buffer.concat([SIGNATURE, pngChunk('IHDR', header), ...before, pngChunk('IDAT', packed), ...end])
}

/** A copy with bytes replaced. */
function patched(file: Buffer, at: number, ...bytes: number[]): Buffer {
  const copy = Buffer.from(file)
  copy.set(bytes, at)
  return copy
}

const jpegSegment = (marker: number, body: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255]), body])

/** A JPEG's beginning with this frame header. */
function jpegHead(marker: number, bits: number, height: number, width: number, components: number): Buffer {
  const each = Array.from({ length: components }, (_, i) => [i + 1, 0x11, 0]).flat()
  const frame = Buffer.from([bits, height >> 8, height & 255, width >> 8, width & 255, components, ...each])
  return Buffer.concat([Buffer.from([0xff, 0xd8]), jpegSegment(marker, frame), Buffer.from([0xff, 0xd9])])
}

/** Where a JPEG's frame header has its height. */
const frameSize = (file: Buffer): number => file.indexOf(Buffer.from([0xff, 0xc0])) + 5

/** A progressive JPEG whose last scan comes again and again. */
function manyScans(file: Buffer, times: number): Buffer {
  const last = file.lastIndexOf(Buffer.from([0xff, 0xda]))
  const scan = file.subarray(last, -2)
  return Buffer.concat([file.subarray(0, last), ...Array.from({ length: times }, () => scan), file.subarray(-2)])
}

/** A VP8X file with this canvas around a frame. */
function webpCanvas(width: number, height: number, frame: Buffer): Buffer {
  const u24 = (n: number) => [n & 255, (n >> 8) & 255, n >> 16]
  const canvas = Buffer.from([...Buffer.from('VP8X'), 10, 0, 0, 0, 0, 0, 0, 0, ...u24(width - 1), ...u24(height - 1)])
  const body = Buffer.concat([Buffer.from('WEBP'), canvas, frame.subarray(12)])
  const size = Buffer.alloc(4)
  size.writeUInt32LE(body.length)
  return Buffer.concat([Buffer.from('RIFF'), size, body])
}

/** EXIF whose first directory lies at `directory`. */
const exifAt = (directory: number, entries = Buffer.alloc(0)): Buffer =>
  jpegSegment(0xe1, Buffer.concat([Buffer.from('Exif\0\0MM\0*', 'latin1'), u32(directory), entries]))

const afterStart = (jpeg: Buffer, ...more: Buffer[]): Buffer =>
  Buffer.concat([jpeg.subarray(0, 2), ...more, jpeg.subarray(2)])

const half = (file: Buffer): Buffer => file.subarray(0, file.length >> 1)

/** What comes of a file: a refusal, or these pixels. */
export type Outcome = ErrorCode | Buffer

/** Name, file, what must come of it. */
export function hostilePictures(good: Map<string, GoldenPicture>): [string, Buffer, Outcome][] {
  const of = (name: string): Buffer => good.get(name)!.file
  const pixels = (name: string): Buffer => good.get(name)!.rgb
  const [rgb, jpeg, lossy, lossless, gif] = ['PNG of 8-bit RGB', 'JPEG, 4:2:0', 'WebP, lossy', 'WebP, lossless', 'GIF'].map(of) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ]
  const text = (value: string) => Buffer.from(value)
  const mebibyte = deflateSync(Buffer.alloc(1 << 20))
  /** A thousandth of what it unpacks to. */
  const bomb = deflateSync(Buffer.alloc(256 << 20))
  const notes = Array.from({ length: 50_000 }, () => pngChunk('tEXt', text('a\0b')))
  const withChunks = (...chunks: Buffer[]) => Buffer.concat([rgb.subarray(0, 33), ...chunks, rgb.subarray(33)])
  const profile = (body: Buffer) => pngChunk('iCCP', Buffer.concat([text('p\0\0'), body]))
  return [
    ['nothing', Buffer.alloc(0), 'image_invalid'],
    ['one byte', Buffer.alloc(1), 'image_unsupported'],
    ['plain text', text('hello'), 'image_unsupported'],
    ['SVG', text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), 'image_unsupported'],
    ['SVG after a byte order mark', text('\ufeff <?xml version="1.0"?><svg/>'), 'image_unsupported'],
    [
      'XML with an external entity',
      text('<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg><text>&x;</text></svg>'),
      'image_unsupported',
    ],
    ['HTML', text('<!doctype html><img src=x onerror=alert(1)>'), 'image_unsupported'],
    ['BMP', text('BM' + 'x'.repeat(60)), 'image_unsupported'],
    ['TIFF', text('II*\0' + 'x'.repeat(60)), 'image_unsupported'],
    ['PDF', text('%PDF-1.7\n'), 'image_unsupported'],
    ['ICO', text('\0\0\x01\0' + 'x'.repeat(60)), 'image_unsupported'],
    ['AVIF', text('\0\0\0\x1cftypavif' + 'x'.repeat(60)), 'image_unsupported'],
    ['gzip', gzipSync(rgb), 'image_unsupported'],
    ['RIFF that is sound', text('RIFF\x24\0\0\0WAVEfmt ' + 'x'.repeat(60)), 'image_unsupported'],
    ['more bytes than are allowed', Buffer.concat([rgb, Buffer.alloc(20 << 20)]), 'image_too_large'],
    ['PNG: signature only', rgb.subarray(0, 8), 'image_invalid'],
    ['PNG cut in its header', rgb.subarray(0, 20), 'image_invalid'],
    ['PNG cut in half', half(rgb), 'image_invalid'],
    ['PNG without its last byte', rgb.subarray(0, -1), 'image_invalid'],
    ['PNG without an end', png(9, 9, { end: [] }), 'image_invalid'],
    ['PNG without pixels', Buffer.concat([rgb.subarray(0, 33), pngChunk('IEND', Buffer.alloc(0))]), 'image_invalid'],
    ['PNG of 50,000 × 50,000', png(50_000, 50_000, { body: mebibyte }), 'image_too_large'],
    ['PNG of 2³¹ pixels a side', png(2 ** 31, 2 ** 31, { body: mebibyte }), 'image_too_large'],
    ['PNG of one endless row', png(16_777_216, 1, { body: mebibyte }), 'image_too_large'],
    ['PNG of too many pixels', png(16_384, 1025, { body: mebibyte }), 'image_too_large'],
    ['PNG of no width', png(0, 9, { body: mebibyte }), 'image_invalid'],
    ['PNG of no height', png(9, 0, { body: mebibyte }), 'image_invalid'],
    ['PNG of an unknown colour type', png(9, 9, { colour: 5 }), 'image_invalid'],
    ['PNG of an impossible depth', png(9, 9, { depth: 4 }), 'image_invalid'],
    ['PNG whose pixels are no deflate', png(9, 9, { body: text('not deflate at all') }), 'image_invalid'],
    ['PNG with too few rows', png(9, 9, { body: deflateSync(Buffer.alloc(28 * 4)) }), 'image_invalid'],
    ['PNG with an unknown filter', png(9, 9, { body: deflateSync(Buffer.alloc(28 * 9, 7)) }), 'image_invalid'],
    ['PNG whose checksum is wrong', patched(rgb, 29, 1, 2, 3, 4), 'image_invalid'],
    ['PNG of a palette that is absent', png(9, 9, { colour: 3, body: deflateSync(Buffer.alloc(90)) }), 'image_invalid'],
    ['PNG whose chunk ends beyond the file', patched(rgb, 33, 0x7f, 0xff, 0xff, 0xff), 'image_invalid'],
    ['PNG with 256 MiB of pixels too many', png(9, 9, { body: bomb }), Buffer.alloc(9 * 9 * 3)],
    ['PNG with a packed profile of two mebibytes', withChunks(profile(Buffer.alloc(2 << 20))), 'image_invalid'],
    ['PNG with a profile of 256 MiB', withChunks(profile(bomb)), pixels('PNG of 8-bit RGB')],
    [
      'PNG with a packed text of 256 MiB',
      withChunks(pngChunk('zTXt', Buffer.concat([text('a\0\0'), bomb]))),
      pixels('PNG of 8-bit RGB'),
    ],
    ['PNG with 50,000 texts', withChunks(...notes), pixels('PNG of 8-bit RGB')],
    ['PNG with HTML after its end', Buffer.concat([rgb, text('<script>')]), pixels('PNG of 8-bit RGB')],
    ['JPEG: signature only', jpeg.subarray(0, 3), 'image_invalid'],
    ['JPEG cut in its header', jpeg.subarray(0, 100), 'image_invalid'],
    ['JPEG cut in half', jpeg.subarray(0, -200), 'image_invalid'],
    ['JPEG without a frame', Buffer.from([0xff, 0xd8, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]), 'image_invalid'],
    ['JPEG of 65,535 × 65,535', patched(jpeg, frameSize(jpeg), 255, 255, 255, 255), 'image_too_large'],
    ['JPEG of no height', patched(jpeg, frameSize(jpeg), 0, 0), 'image_invalid'],
    ['JPEG of five thousand scans', manyScans(of('JPEG, progressive'), 5000), 'image_invalid'],
    ['JPEG of 12 bits', jpegHead(0xc1, 12, 9, 9, 3), 'image_unsupported'],
    ['JPEG, lossless', jpegHead(0xc3, 8, 9, 9, 3), 'image_unsupported'],
    ['JPEG, arithmetic-coded', jpegHead(0xc9, 8, 9, 9, 3), 'image_unsupported'],
    ['JPEG of two components', jpegHead(0xc0, 8, 9, 9, 2), 'image_invalid'],
    ['JPEG with nothing after its frame', jpegHead(0xc0, 8, 9, 9, 3), 'image_invalid'],
    ['JPEG with a mebibyte of filling', afterStart(jpeg, Buffer.alloc(1 << 20, 0xff)), pixels('JPEG, 4:2:0')],
    ['JPEG whose EXIF points outside', afterStart(jpeg, exifAt(0xfffffff0)), pixels('JPEG, 4:2:0')],
    ['JPEG whose EXIF counts too many', afterStart(jpeg, exifAt(8, Buffer.from([255, 255]))), pixels('JPEG, 4:2:0')],
    ['WebP cut in half', half(lossy), 'image_invalid'],
    ['WebP whose parts were cut out', patched(lossy.subarray(0, 60), 4, 52, 0, 0, 0), 'image_invalid'],
    ['WebP of 16,384 × 16,384', webpCanvas(16_384, 16_384, lossless), 'image_too_large'],
    ['WebP of another canvas than its frame', webpCanvas(400, 300, lossless), 'image_invalid'],
    ['WebP of an unknown kind', patched(lossy, 12, 0x41, 0x4c, 0x50, 0x48), 'image_invalid'],
    ['WebP, lossless, of a wrong signature', patched(lossless, 20, 0), 'image_invalid'],
    ['GIF: header only', gif.subarray(0, 13), 'image_invalid'],
    ['GIF cut in half', half(gif), 'image_invalid'],
    ['GIF of no width', patched(gif, 6, 0, 0), 'image_invalid'],
    ['GIF of 65,535 × 65,535', patched(gif, 6, 255, 255, 255, 255), 'image_too_large'],
    ['GIF without a frame', Buffer.concat([gif.subarray(0, 13 + 3 * 64), text(';')]), 'image_invalid'],
  ]
}
