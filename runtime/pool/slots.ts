/**
 * Which of an instance's slots a phase takes: the scheduler and the instance must agree before they talk.
 * @module
 */
import type { SlotClass } from './actor.ts'

/** Phases of a user's own take `other`. */
export const slotsOf = (phase: string): SlotClass =>
  phase === 'prefill' ? 'prefill' : phase === 'transfer' || phase === 'decode' ? 'decode' : 'other'
