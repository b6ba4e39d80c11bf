import { expect, test } from 'vitest'
import { renderRoad, roadOf } from '../../../cli/ui/road.ts'

const history = [
  { state: 'admitted', atMs: 1000, instance: '' },
  { state: 'prefill', atMs: 1000.4, instance: '' },
  { state: 'claimed', atMs: 1003, instance: 'i0' },
  { state: 'decode', atMs: 1044, instance: 'i0' },
  { state: 'claimed', atMs: 1045, instance: 'i1' },
  { state: 'claimed', atMs: 3050, instance: 'i2' },
  { state: 'done', atMs: 3438, instance: 'i2' },
]

test('roadOf() folds claims into the state that was taken up', () => {
  expect(roadOf(history)).toEqual([
    { state: 'admitted', instance: '', atMs: 0, queuedMs: undefined, ranMs: undefined, claims: 0 },
    { state: 'prefill', instance: 'i0', atMs: 0.4, queuedMs: 2.6, ranMs: 41, claims: 1 },
    { state: 'decode', instance: 'i2', atMs: 44, queuedMs: 2006, ranMs: 388, claims: 2 },
    { state: 'done', instance: '', atMs: 2438, queuedMs: undefined, ranMs: undefined, claims: 0 },
  ])
  expect(roadOf([])).toEqual([])
})

test('renderRoad() aligns numbers and always says the unit', () => {
  expect(renderRoad('r7', roadOf(history)).split('\n')).toEqual([
    'r7',
    '  admitted      at     0.0 ms',
    '  prefill   i0  at     0.4 ms  queued     2.6 ms  ran    41.0 ms',
    '  decode    i2  at    44.0 ms  queued  2006.0 ms  ran   388.0 ms  taken up 2 times',
    '  done          at  2438.0 ms',
    '',
  ])
})

test('the road tells who encoded which tiles, and how many needed none', () => {
  const parts = [{ instance: 'i0', tiles: 4, cached: 3 }, { instance: 'i1', tiles: 4, cached: 0 }]
  const road = roadOf([
    { state: 'encode', atMs: 1000, instance: '' },
    { state: 'claimed', atMs: 1001, instance: 'i0' },
    { state: 'prefill', atMs: 1003, instance: 'i0', detail: { tiles: 8, pictures: 2, cached: 3, parts } },
  ])
  expect(road[0]!.encoded).toEqual({ tiles: 8, cached: 3, parts })
  expect(renderRoad('r8', road).split('\n')[1]).toBe(
    '  encode   i0  at     0.0 ms  queued     1.0 ms  ran     2.0 ms  8 tiles, 3 of them cached: i0 4, i1 4',
  )
})
