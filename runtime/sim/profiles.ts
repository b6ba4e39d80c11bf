/**
 * Cost profiles by name. "8b", "32b" and "l30b" are assumed constants of plausible size for three kinds of GPU: ratios
 * between policies are meant, not absolute rates. A tile of an image is taken to cost half of what
 * its 256 tokens cost the model to prefill; beside "32b" as much as they (a large encoder). The others are measured GPUs,
 * packed by bench/profiles.ts: what the host costs between kernels is not in them.
 * @module
 */
import { VolleyError } from '../errors.ts'
import type { CostProfile } from '../policy/profile.ts'
import type { SimProfile } from './instance.ts'
import measured from './profiles.json' with { type: 'json' }

/** Mean relative errors of a fit, by kind of iteration; null = not measured. */
interface FitError {
  prefill: number | null
  decode: number | null
  mixed: number | null
}

/** A measured profile as it is shipped. */
export interface PackedProfile extends SimProfile {
  gpu: string
  model: string
  source: string
  licence: string
  /** Of the fitted kernels against the tables, whole iterations. */
  error: FitError
}

/** A profile as a list shows it. */
export interface ProfileInfo {
  profile: string
  gpu: string
  model: string
  /** Such as `prefill 3 %, decode 1 %, mixed 4 %`; empty = assumed. */
  fitError: string
  source: string
  licence: string
}

const ASSUMED: readonly CostProfile[] = [
  {
    name: '8b',
    baseMs: 8,
    perTokenMs: 0.045,
    perPairMs: 0.9e-6,
    perResidentMs: 60e-6,
    perSequenceMs: 0.02,
    perTileMs: 6,
    kvTokens: 450_000,
    kvBytesPerToken: 131_072,
  },
  {
    name: '32b',
    baseMs: 20,
    perTokenMs: 0.15,
    perPairMs: 3e-6,
    perResidentMs: 90e-6,
    perSequenceMs: 0.04,
    perTileMs: 40,
    kvTokens: 260_000,
    kvBytesPerToken: 262_144,
  },
  {
    name: 'l30b',
    baseMs: 40,
    perTokenMs: 0.45,
    perPairMs: 9e-6,
    perResidentMs: 0.9e-3,
    perSequenceMs: 0.2,
    perTileMs: 60,
    kvTokens: 80_000,
    kvBytesPerToken: 1_520_000,
  },
]

const MEASURED = measured as unknown as readonly PackedProfile[]
const BY_NAME: ReadonlyMap<string, SimProfile> = new Map([...ASSUMED, ...MEASURED].map((p) => [p.name, p]))

export const profileNames: readonly string[] = [...BY_NAME.keys()]

/** Error: `invalid_flag` naming those that exist. */
export function profileOf(name: string): SimProfile {
  const found = BY_NAME.get(name)
  if (found) return found
  throw new VolleyError('invalid_flag', `Unknown profile "${name}"`, {
    param: 'profile',
    remedy: `use one of ${profileNames.join(', ')}, or machine for what was measured here`,
  })
}

/** All that ship, for people. */
export const profileInfos = (): ProfileInfo[] => [
  ...ASSUMED.map(({ name }) => ({
    profile: name,
    gpu: '',
    model: '',
    fitError: '',
    source: 'assumed constants',
    licence: 'Apache-2.0',
  })),
  ...MEASURED.map(({ name, gpu, model, source, licence, error }) => ({
    profile: name,
    gpu,
    model,
    fitError: Object.entries(error).filter(([, share]) => share !== null)
      .map(([kind, share]) => `${kind} ${(100 * share).toFixed(1)} %`).join(', '),
    source,
    licence,
  })),
]
