import { expect, test } from 'vitest'
import { dataUrlBytes } from '../../../../actors/gateway/pictures/data-url.ts'

const every = Uint8Array.from({ length: 256 }, (_, i) => i)
const base64 = Buffer.from(every).toString('base64')

test.each([
  ['as everybody sends it', `data:image/png;base64,${base64}`],
  ['in capitals', `DATA:IMAGE/PNG;BASE64,${base64}`],
  ['without a type', `data:;base64,${base64}`],
  ['of another type', `data:text/html;charset=utf-8;base64,${base64}`],
  ['with spaces before base64', `data:image/png; base64,${base64}`],
  ['in lines', `data:image/png;base64,${base64.replace(/.{60}/g, '$&\r\n')}\n`],
  ['without its padding', `data:image/png;base64,${base64.replace(/=+$/, '')}`],
  ['in the alphabet of URLs', `data:image/png;base64,${Buffer.from(every).toString('base64url')}`],
  ['percent-encoded base64', `data:image/png;base64,${encodeURIComponent(base64)}`],
  ['percent-encoded', `data:image/png,${[...every].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')}`],
])('dataUrlBytes() reads a URL %s', (_, url) => {
  expect(Buffer.from(dataUrlBytes(url)).equals(every)).toBe(true)
})

test.each([
  ['without a comma', 'data:image/png;base64'],
  ['of one digit', 'data:;base64,A'],
  ['of one digit too many', 'data:;base64,AAAAA'],
  ['with signs between', 'data:;base64,AA*A'],
  ['with padding between', 'data:;base64,AA==AAAA'],
  ['with three signs of padding', 'data:;base64,A==='],
  ['that holds plain text', 'data:;base64,<svg onload=alert(1)>'],
  ['that another one follows', 'data:;base64,AAAA,data:;base64,AAAA'],
])('dataUrlBytes() refuses a URL %s', (_, url) => {
  expect(() => dataUrlBytes(url)).toThrow(expect.objectContaining({ code: 'image_invalid' }))
})

test('dataUrlBytes() takes a URL of no data for an empty file', () => {
  for (const url of ['data:,', 'data:;base64,', 'data:image/png;base64,']) expect(dataUrlBytes(url)).toHaveLength(0)
})

test('dataUrlBytes() is linear in the length of what it refuses', () => {
  const long = 'A'.repeat(1 << 22)
  for (const bad of [`${long}*`, `${'='.repeat(1 << 22)}*`, `${' '.repeat(1 << 22)}*`, '%4'.repeat(1 << 21)]) {
    expect(() => dataUrlBytes(`data:;base64,${bad}`)).toThrow(/no base64/)
  }
})
