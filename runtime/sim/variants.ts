/**
 * What a policy's name stands for in a simulation: one set-up, or several of which the best counts (`best-static`:
 * every split; `best-colocated`: every way to share an iteration; `static@EP+D`: every split over instances that encode
 * and prefill and others that decode).
 * @module
 */
import { VolleyError } from '../errors.ts'
import {
  knownPolicies,
  type Label,
  LABELS,
  type Loads,
  type Phase,
  PHASES,
  type Policy,
  policyOf,
} from '../policy/mod.ts'
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
  const [bare = '', topology] = name.split('@')
  if (topology !== undefined) return overTopology(bare, topology, options)
  if (name === 'best-static') {
    if (instances < 2) throw misfit('best-static needs at least 2 instances')
    const splits = Array.from({ length: instances - 1 }, (_, at) => ({ prefill: at + 1, decode: instances - at - 1 }))
    return splits.map((labels) => variant(policyOf('static'), spread(labels, instances), batching))
  }
  if (name === 'best-colocated') {
    return BATCHINGS.map((each) => variant(policyOf('colocated'), spread({}, instances), each, true))
  }
  if (!knownPolicies().includes(name)) {
    throw new VolleyError(
      'policy_invalid',
      `Cannot use policy "${name}": known are ${[...knownPolicies(), ...SWEEPS].join(', ')}`,
      {
        param: 'policy',
      },
    )
  }
  const half = Math.ceil(instances / 2)
  const byDefault = LABELLED.includes(name) && instances > 1 ? { prefill: half, decode: instances - half } : {}
  return [variant(policyOf(name, loads), spread(options.labels ?? byDefault, instances), batching)]
}

/** A policy on instances of some kinds: `static` in every split, any other from the most even one. */
function overTopology(name: string, topology: string, { instances, batching, loads }: VariantOptions): Variant[] {
  const policy = policyOf(name, loads)
  const groups = topology.split('+').map((letters) => labelOf(letters, topology))
  if (instances < groups.length) throw misfit(`${topology} needs at least ${groups.length} instances`)
  const even = groups.map((_, at) => Math.ceil((instances - at) / groups.length))
  const counts = name === 'static' ? [...splits(instances, groups.length)] : [even]
  return counts.map((each) => {
    const labels = groups.flatMap((label, at) => Array<Label | undefined>(each[at]!).fill(label))
    return variant(policy, labels, batching)
  })
}

/** `EP` -> `encode+prefill`; all three = unlabelled. */
function labelOf(letters: string, topology: string): Label | undefined {
  const phases = PHASES.filter((phase) => letters.includes(letterOf(phase)))
  const label = LABELS.find((known) => known === phases.join('+'))
  const all = phases.length === PHASES.length
  const covered = ['P', 'D'].every((letter) => topology.includes(letter))
  if (letters.length === phases.length && covered && (all || label !== undefined)) return label
  throw new VolleyError('policy_invalid', `Unknown kinds of instances "${topology}"`, {
    param: 'policy',
    remedy: 'use one of P+D, E+P+D, EP+D, ED+P, E+PD, EPD',
  })
}

const letterOf = (phase: Phase): string => phase[0]!.toUpperCase()

/** Every way to write `total` as a sum of so many numbers of at least 1, in order. */
function* splits(total: number, parts: number): Generator<number[]> {
  if (parts === 1) return yield [total]
  for (let first = 1; first <= total - parts + 1; first++) {
    for (const rest of splits(total - first, parts - 1)) yield [first, ...rest]
  }
}

function variant(policy: Policy, labels: Variant['labels'], batching: Batching, showBatching = false): Variant {
  const count = (label: Label | undefined) => labels.filter((l) => l === label).length
  const short = (label: Label) => label.split('+').map((phase) => letterOf(phase as Phase)).join('')
  const split = LABELS.map((label) => (count(label) > 0 ? `${count(label)}${short(label)}` : '')).join('')
  const free = count(undefined) > 0 ? `${count(undefined)} unlabelled` : ''
  const shared = showBatching ? batchingName(batching) : ''
  return { policy, labels, batching, name: [split, free, shared].filter((part) => part !== '').join(', ') }
}

function batchingName(batching: Batching): string {
  if (batching === 'prefill-first') return 'prefill first'
  if ('alternatingTokens' in batching) return `alternating, chunk ${batching.alternatingTokens}`
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
