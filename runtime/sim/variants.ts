/**
 * What a policy's name stands for in a simulation: one set-up, or several of which the best counts (`best-static`:
 * every split; `best-colocated`: every way to share an iteration).
 * @module
 */
import { VolleyError } from '../errors.ts'
import { type Label, type Loads, type Policy, policyNames, policyOf } from '../policy/mod.ts'
import type { Batching } from './instance.ts'

/** One set-up of a cluster. */
export interface Variant {
  policy: Policy
  labels: readonly (Label | undefined)[]
  batching: Batching
  /** Such as `4P4D`, `8 unlabelled`, `8 unlabelled, chunk 512`. */
  name: string
}

export interface VariantOptions {
  instances: number
  /** How many of each label at the start; left out = half and half, where the policy looks at labels. */
  labels?: Partial<Record<Label, number>>
  loads: Loads
  batching: Batching
}

const SWEEPS = ['best-static', 'best-colocated'] as const
/** Those that go by labels; the others take every instance for everything unless labels are given. */
const LABELLED: readonly string[] = ['arrow-v1', 'arrow-v2', 'static', 'xllm']
const BATCHINGS: readonly Batching[] = ['prefill-first', { chunkTokens: 512 }, { chunkTokens: 1_024 }, {
  chunkTokens: 2_048,
}]

/** The set-ups of a policy or sweep. Errors: `policy_invalid`, `invalid_flag` for labels that do not fit. */
export function variantsOf(name: string, options: VariantOptions): Variant[] {
  const { instances, batching, loads } = options
  if (name === 'best-static') {
    if (instances < 2) throw misfit('best-static needs at least 2 instances')
    const splits = Array.from({ length: instances - 1 }, (_, at) => ({ prefill: at + 1, decode: instances - at - 1 }))
    return splits.map((labels) => variant(policyOf('static'), spread(labels, instances), batching))
  }
  if (name === 'best-colocated') {
    return BATCHINGS.map((each) => variant(policyOf('colocated'), spread({}, instances), each, true))
  }
  if (!policyNames.includes(name)) {
    throw new VolleyError(
      'policy_invalid',
      `Cannot use policy "${name}": known are ${[...policyNames, ...SWEEPS].join(', ')}`,
      {
        param: 'policy',
      },
    )
  }
  const half = Math.ceil(instances / 2)
  const byDefault = LABELLED.includes(name) && instances > 1 ? { prefill: half, decode: instances - half } : {}
  return [variant(policyOf(name, loads), spread(options.labels ?? byDefault, instances), batching)]
}

function variant(policy: Policy, labels: Variant['labels'], batching: Batching, showBatching = false): Variant {
  const count = (label: Label | undefined) => labels.filter((l) => l === label).length
  const split = (['prefill', 'decode'] as const).map((l) => (count(l) > 0 ? `${count(l)}${l[0]!.toUpperCase()}` : ''))
    .join('')
  const free = count(undefined) > 0 ? `${count(undefined)} unlabelled` : ''
  const shared = showBatching ? batchingName(batching) : ''
  return { policy, labels, batching, name: [split, free, shared].filter((part) => part !== '').join(', ') }
}

function batchingName(batching: Batching): string {
  if (batching === 'prefill-first') return 'prefill first'
  return 'chunkTokens' in batching ? `chunk ${batching.chunkTokens}` : `batch ${batching.batchTokens}`
}

function spread(counts: Partial<Record<Label, number>>, instances: number): (Label | undefined)[] {
  const named = (Object.entries(counts) as [Label, number][]).flatMap(([label, count]) =>
    Array<Label>(count).fill(label)
  )
  if (named.length > instances) throw misfit(`--labels name ${named.length} instances, there are ${instances}`)
  return Array.from({ length: instances }, (_, at) => named[at])
}

const misfit = (what: string): VolleyError =>
  new VolleyError('invalid_flag', `Cannot simulate: ${what}`, {
    param: 'labels',
    remedy: 'raise --instances or name fewer labels',
  })
