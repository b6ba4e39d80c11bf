/**
 * Who computes in the next step. Decodes are in every step they can be in, one row each; prefill has a budget of its
 * own in every step, or every other step where the two cannot share one: neither starves the other. Prompts are
 * served first come, first served; one that waits for vectors lets others pass. Pure choice; it changes nothing but the jobs it asks for their chunk.
 * @module
 */
import type { Chunk } from '../forward.ts'
import type { Choice } from './choice.ts'
import type { Job } from './job.ts'
import type { Prefill } from './prefill.ts'

export interface Work {
  job: Job
  chunk: Chunk
}

export interface ComposeOptions {
  /** Rows' bits do not depend on their neighbours: everything may share a step. */
  batchInvariant: boolean
  /** Generated tokens may come several at a step, whatever prompts may. */
  replayInvariant: boolean
  /** Prompt (or replay) tokens a step may take on, besides a row for each decode. */
  budget: number
  /** Whose turn it is where prefill and decode cannot share a step. */
  prefillFirst: boolean
}

/** The next step's chunks; empty = nothing to do. */
export function compose(choices: readonly Choice[], prefills: readonly Prefill[], options: ComposeOptions): Work[] {
  if (options.batchInvariant) return shared(choices, prefills, options.budget)
  if (options.prefillFirst || choices.length === 0) {
    for (const job of prefills) {
      const chunk = job.next(options.budget)
      if (chunk) return [{ job, chunk }]
    }
  }
  return options.replayInvariant
    ? shared(choices, [], options.budget)
    : choices.map((job) => ({ job, chunk: job.next(1) }))
}

/** Replays may use half of what waiting prompts could; rows of running decodes cost no budget. */
function shared(choices: readonly Choice[], prefills: readonly Prefill[], budget: number): Work[] {
  const work: Work[] = []
  let replay = prefills.some((job) => !job.stuck) ? Math.floor(budget / 2) : budget
  for (const job of choices) {
    const chunk = job.next(1 + replay)
    replay -= chunk.tokens.length - 1
    budget -= chunk.tokens.length - 1
    work.push({ job, chunk })
  }
  for (const job of prefills) {
    if (budget < 1) break
    const chunk = job.next(budget)
    if (chunk === undefined) continue
    budget -= chunk.tokens.length
    work.push({ job, chunk })
  }
  return work
}
