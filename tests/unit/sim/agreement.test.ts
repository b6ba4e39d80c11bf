import { describe, expect, test } from 'vitest'
import { keeps, PackedTrace, profileOf, readTrace, type SimOptions } from '../../../runtime/sim/mod.ts'
import { sharedData } from '../../helpers/model-files.ts'
import { fixed, named } from './helpers.ts'

const file = (name: string) => sharedData(`traces/${name}.csv.gz`)
/** Goodput of 4P4D, the best split, Arrow v1 and v2 with plain loads, from another simulator. */
const CODE = [[fixed(4), 4], [fixed(7), 9.12], [named('arrow-v1'), 8.75], [named('arrow-v2'), 8.75]] as const
const CODE_32B = [[fixed(4), 1.2], [fixed(7), 2.77], [named('arrow-v1'), 2.62], [named('arrow-v2'), 2.62]] as const
const CONVERSATION = [[fixed(4), 7.88], [fixed(6), 12], [named('arrow-v1'), 11.9], [named('arrow-v2'), 11.6]] as const
const INVERTING_A = [[fixed(4), 6.25], [fixed(5), 7.88], [named('arrow-v1'), 11.06], [named('arrow-v2'), 11]] as const
const INVERTING_B = [[fixed(4), 4.22], [fixed(3), 4.81], [named('arrow-v1'), 7.44], [named('arrow-v2'), 7.19]] as const

// Two runs a figure instead of a search: 10 % below it is kept, 10 % above it is not.
describe.skipIf(file('azure_llm_2023_code') === undefined)(
  'goodput is within 10 % of what two other simulators say',
  () => {
    test.each([
      ['azure_llm_2023_code', '8b', 3_000, 100, CODE],
      ['azure_llm_2023_code', '32b', 10_000, 125, CODE_32B],
      ['azure_llm_2023_conv', '8b', 2_000, 50, CONVERSATION],
      ['synthetic_inverting_a', '8b', 3_000, 50, INVERTING_A],
      ['synthetic_inverting_b', '8b', 3_000, 50, INVERTING_B],
    ])('%s on %s', async (name, profile, ttftMs, tpotMs, figures) => {
      const trace = await PackedTrace.read(readTrace(file(name)!))
      for (const [base, figure] of figures) {
        const options: SimOptions = { ...base, profile: profileOf(profile), slo: { ttftMs, tpotMs } }
        expect(keeps(options, trace, 0.9 * figure), `${options.policy.name} ${figure}`).toBe(true)
        expect(keeps(options, trace, 1.1 * figure), `${options.policy.name} ${figure}`).toBe(false)
      }
    })
  },
)
