import { expect, test } from 'vitest'
import { policyOf } from '../../../runtime/policy/mod.ts'
import { Chooser } from '../../../runtime/pool/chooser.ts'
import { instance, request, view } from '../policy/views.ts'

const chooser = new Chooser(policyOf('static'))
const encode = (tiles: number) => request('encode', { tiles })

test('alongside() names those labelled for encode, the least busy first, at most one a tile', () => {
  const all = [
    instance('a', { label: 'encode' }),
    instance('b', { label: 'encode+decode', encodeTiles: 2, encodeWaitMs: 12 }),
    instance('c', { label: 'encode' }),
    instance('d', { label: 'prefill' }),
    instance('e'),
  ]
  expect(chooser.alongside(view(all), encode(8), 'a')).toEqual(['c', 'e', 'b'])
  expect(chooser.alongside(view(all), encode(3), 'a')).toEqual(['c', 'e'])
  expect(chooser.alongside(view(all), encode(1), 'a')).toEqual([])
})

test('alongside() leaves out who would begin when the chosen one is through, who is full or drains, and all other phases', () => {
  const all = [
    instance('a', { label: 'encode' }),
    instance('b', { label: 'encode', encodeWaitMs: 60_000 }),
    instance('c', { label: 'encode', draining: true }),
    instance('d', { label: 'encode', freeSlots: { prefill: 1, decode: 1, other: 0 } }),
    instance('e', { label: 'encode', model: 'another' }),
  ]
  expect(chooser.alongside(view(all), encode(8), 'a')).toEqual([])
  expect(chooser.alongside(view(all), request('prefill', { tiles: 8 }), 'a')).toEqual([])
  expect(chooser.alongside(view(all), encode(8), undefined)).toEqual([])
})

test('alongside() takes nobody where nobody is labelled for encode: those who prefill or decode are not disturbed twice', () => {
  const all = [instance('a', { label: 'prefill' }), instance('b', { label: 'decode' })]
  expect(chooser.alongside(view(all), encode(8), 'a')).toEqual([])
})
