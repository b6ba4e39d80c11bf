import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Detokenizer } from '../../../../runtime/engine/text/detokenizer.ts'

/** A model whose token n is the byte n; 256 and up are special and silent. */
const bytes = {
  tokenBytes: (id: number, { special = false } = {}) =>
    id < 256 ? Uint8Array.of(id) : new TextEncoder().encode(special ? `<${id}>` : ''),
}
const spaced = { ...bytes, stripsLeadingSpace: true }

const all = (
  ids: number[],
  model: { tokenBytes: typeof bytes.tokenBytes; stripsLeadingSpace?: boolean } = bytes,
): string => {
  const detokenizer = new Detokenizer(model)
  return detokenizer.push(ids) + detokenizer.flush()
}

describe('Detokenizer', () => {
  test('gives whole characters only', () => {
    const detokenizer = new Detokenizer(bytes)
    const shown = [...Buffer.from('é🙂!')].map((byte) => detokenizer.push([byte]))
    expect(shown).toEqual(['', 'é', '', '', '', '🙂', '!'])
    expect(detokenizer.flush()).toBe('')
  })

  test('bytes that are no UTF-8 become U+FFFD, at once or at the end', () => {
    const detokenizer = new Detokenizer(bytes)
    expect(detokenizer.push([0x41, 0xff, 0x42])).toBe('A\ufffdB')
    expect(detokenizer.push([0xf0, 0x9f])).toBe('')
    expect(detokenizer.flush()).toBe('\ufffd')
  })

  test('special tokens are silent, or text when asked for; a byte order mark is text', () => {
    expect(all([0x41, 300, 0x42])).toBe('AB')
    const loud = new Detokenizer(bytes, { special: true })
    expect(loud.push([0x41, 300])).toBe('A<300>')
    expect(all([0xef, 0xbb, 0xbf, 0x41])).toBe('\ufeffA')
  })

  test("SentencePiece's first space is not shown, unless the text continues a prompt", () => {
    expect(all([...Buffer.from('  a b')], spaced)).toBe(' a b')
    const later = new Detokenizer(spaced, { continues: true })
    expect(later.push([...Buffer.from(' a')])).toBe(' a')
    const silentFirst = new Detokenizer(spaced)
    expect([300, 0x20, 0x41, 0x20].map((id) => silentFirst.push([id]))).toEqual(['', '', 'A', ' '])
  })

  test('the text is the same whatever the pieces', () => {
    const ids = fc.array(fc.oneof(fc.integer({ min: 0, max: 260 }), fc.constantFrom(0xe2, 0x82, 0xac, 0xf0, 0x9f)), {
      maxLength: 40,
    })
    fc.assert(fc.property(ids, fc.array(fc.nat(8)), fc.boolean(), (ids, sizes, strips) => {
      const model = strips ? spaced : bytes
      const detokenizer = new Detokenizer(model)
      let text = ''
      let at = 0
      for (const size of sizes) {
        const piece = detokenizer.push(ids.slice(at, at + size))
        expect(piece.isWellFormed()).toBe(true)
        text += piece
        at += size
      }
      expect(text + detokenizer.push(ids.slice(at)) + detokenizer.flush()).toBe(all(ids, model))
    }))
  })
})
