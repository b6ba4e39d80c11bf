import { describe, expect, test } from 'vitest'
import { checkPolicy, type ClusterView, type Decision, place, type Policy, policyOf, registerPolicy } from '../../../runtime/policy/mod.ts'
import { instance, request, view } from './views.ts'

const fine = (changes: object = {}) => ({
  name: 'mine', initial: {}, onArrival: () => ({ instance: 'a', scores: {}, reason: '' }), onFirstToken: () => ({ instance: undefined, scores: {}, reason: '' }),
  ...changes,
})
const cluster: ClusterView = view([instance('a')])
const ask = (policy: Policy) => place(policy, cluster, request('prefill'), {})

describe('checkPolicy()', () => {
  test.each([
    ['nothing', undefined, 'its default export is no object'],
    ['a function', () => 1, 'its default export is no object'],
    ['a bad name', fine({ name: 'My Policy' }), '`name` must be'],
    ['no initial', fine({ initial: undefined }), '`initial` must be'],
    ['an initial of text', fine({ initial: { a: 'b' } }), '`initial` must be'],
    ['no onArrival', fine({ onArrival: undefined }), '`onArrival` must be a function'],
    ['no onFirstToken', fine({ onFirstToken: 3 }), '`onFirstToken` must be a function'],
    ['an onTick of text', fine({ onTick: 'x' }), '`onTick` must be a function'],
    ['flips of text', fine({ flips: { dwellMs: 'x' } }), '`flips` must be'],
  ])('refuses %s and says what is wrong', (_, value, why) => {
    expect(() => checkPolicy(value, './mine.ts')).toThrow(expect.objectContaining({ code: 'policy_invalid', message: expect.stringContaining(`./mine.ts is no policy: ${why}`) }))
  })

  test.each([
    ['nothing', undefined, 'it answered no decision'],
    ['an instance that is not there', { instance: 'z', scores: {}, reason: '' }, 'there is no instance "z"'],
    ['no scores', { instance: 'a', reason: '' }, '`scores` must be'],
    ['no reason', { instance: 'a', scores: {} }, '`reason` must be'],
    ['a state of text', { instance: 'a', scores: {}, reason: '', state: { a: 'x' } }, '`state` must be'],
    ['a flip of nobody', { instance: 'a', scores: {}, reason: '', labels: [{ instance: 'z', label: 'decode', reason: '' }] }, 'it flips "z", which is not there'],
    ['a flip to no label', { instance: 'a', scores: {}, reason: '', labels: [{ instance: 'a', label: 'x', reason: '' }] }, 'it flips a to "x", which is no label'],
  ])('an answer with %s is the policy\'s error', (_, answer, why) => {
    const policy = checkPolicy(fine({ onArrival: () => answer as unknown as Decision }), 'f')
    expect(() => ask(policy)).toThrow(expect.objectContaining({ code: 'policy_invalid', message: expect.stringContaining(`Policy "mine" failed in onArrival: ${why}`) }))
  })

  test('what a hook throws is told with the hook and the policy', () => {
    const policy = checkPolicy(fine({ onArrival: () => { throw new Error('oh no') } }), 'f')
    expect(() => ask(policy)).toThrow('Policy "mine" failed in onArrival: oh no')
  })

  test('a good one decides as before', () => {
    expect(ask(checkPolicy(fine(), 'f')).instance).toBe('a')
  })
})

test('registerPolicy() makes it known by its name, but not by the name of another', () => {
  registerPolicy(checkPolicy(fine({ name: 'my-own' }), 'f'))
  expect(policyOf('my-own').name).toBe('my-own')
  expect(() => registerPolicy(checkPolicy(fine({ name: 'static' }), 'f'))).toThrow(expect.objectContaining({ code: 'policy_invalid' }))
})
