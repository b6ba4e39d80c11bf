import { expect, test } from 'vitest'
import { renderTable } from '../../../cli/ui/output.ts'
import { formatBytes } from '../../../cli/ui/progress.ts'

test('renderTable() aligns text to the left and numbers to the right', () => {
  expect(renderTable([{ id: 'a', ms: 5 }, { id: 'bcd', ms: 120 }], ['id', 'ms'])).toBe('ID    MS\na      5\nbcd  120\n')
  expect(renderTable([], ['id', 'ms'])).toBe('ID  MS\n')
})

test.each([[0, '0 B'], [999, '999 B'], [1000, '1.0 kB'], [98_362_432, '98.4 MB'], [123_456_789_000, '123 GB']])(
  'formatBytes(%d) is %j',
  (bytes, text) => expect(formatBytes(bytes)).toBe(text),
)
