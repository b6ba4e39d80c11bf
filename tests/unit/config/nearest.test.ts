import { expect, test } from 'vitest'
import { editDistance, nearest } from '../../../runtime/config/nearest.ts'

test.each([['', '', 0], ['a', '', 1], ['port', 'prot', 1], ['kitten', 'sitting', 3], ['model', 'models', 1]])(
  'editDistance(%j, %j) is %d',
  (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance)
    expect(editDistance(b, a)).toBe(distance)
  },
)

test.each([['prot', 'port'], ['instance', 'instances'], ['per_process', 'per-process'], ['max', 'max-batch'], [
  'zzzzzzzz',
  undefined,
]])(
  'nearest(%j) is %j',
  (name, expected) => {
    expect(nearest(name, ['model', 'port', 'host', 'instances', 'per-process', 'max-batch'])).toBe(expected)
  },
)
