/**
 * Cost profiles by name. "8b", "32b" and "l30b" are assumed constants of plausible size for three kinds of GPU: ratios
 * between policies are meant, not absolute rates. A tile of an image is taken to cost half of what
 * its 256 tokens cost the model to prefill; beside "32b" as much as they (a large encoder).
 * "rtxpro6000-8b" is measured: Llama 3.1 8B on one RTX PRO 6000, a fit (fit.ts) of the kernel times that LLMServingSim
 * took under vLLM 0.19. What the host costs between kernels is not in it. Its memory is what 90 % of the card leaves
 * beside the weights.
 * @module
 */
import { VolleyError } from '../errors.ts'
import type { CostProfile } from '../policy/profile.ts'

const PROFILES: Readonly<Record<string, CostProfile>> = {
  '8b': {
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
  '32b': {
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
  l30b: {
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
  'rtxpro6000-8b': {
    name: 'rtxpro6000-8b',
    baseMs: 11.19,
    perTokenMs: 0.02796,
    perPairMs: 1.333e-6,
    perResidentMs: 104.5e-6,
    perSequenceMs: 0.01858,
    kvTokens: 530_000,
    kvBytesPerToken: 131_072,
  },
}

export const profileNames: readonly string[] = Object.keys(PROFILES)

/** Error: `invalid_flag` naming those that exist. */
export function profileOf(name: string): CostProfile {
  const found = Object.hasOwn(PROFILES, name) ? PROFILES[name] : undefined
  if (found) return found
  throw new VolleyError('invalid_flag', `Unknown profile "${name}"`, {
    param: 'profile',
    remedy: `use one of ${profileNames.join(', ')}`,
  })
}
