/**
 * How a shadow policy compares with the one that decides: agreement, and what was to be expected of each one's choice.
 * @module
 */
import type { LedgerEntry } from './ledger.ts'

/** Running sums of one pair of policies, by phase. */
export type ShadowTallies = Record<string, ShadowTally>

/** Sums over the decisions of one phase on which both had something to say. */
export interface ShadowTally {
  decisions: number
  /** Both chose the same instance. */
  agreed: number
  /** Decisions for which both choices had a prediction, and the sums of those. */
  compared: number
  realMsSum: number
  shadowMsSum: number
}

/** What the sums say. */
export interface ShadowSummary {
  phase: string
  decisions: number
  /** Share of decisions, 0..1. */
  agreement: number
  realMeanMs: number
  shadowMeanMs: number
  /** Mean predicted time saved by the shadow's choice, ms; below 0 = it would have been slower. */
  gainMs: number
}

const NONE: ShadowTally = { decisions: 0, agreed: 0, compared: 0, realMsSum: 0, shadowMsSum: 0 }

/** The sums with one more decision in them: one that was accepted, by a policy that had a choice. */
export function shadowed(tallies: ShadowTallies, { phase, instance, outcome, predictedMs, shadow }: LedgerEntry): ShadowTallies {
  if (shadow === undefined || outcome !== 'accepted') return tallies
  const { decisions, agreed, compared, realMsSum, shadowMsSum } = tallies[phase] ?? NONE
  const both = predictedMs !== undefined && shadow.predictedMs !== undefined
  return {
    ...tallies,
    [phase]: {
      decisions: decisions + 1,
      agreed: agreed + (shadow.instance === instance ? 1 : 0),
      compared: compared + (both ? 1 : 0),
      realMsSum: realMsSum + (both ? predictedMs : 0),
      shadowMsSum: shadowMsSum + (both ? shadow.predictedMs! : 0),
    },
  }
}

/** By phase, in order of name. */
export function shadowSummary(tallies: ShadowTallies): ShadowSummary[] {
  return Object.entries(tallies).sort(([a], [b]) => (a < b ? -1 : 1)).map(([phase, t]) => {
    // Nothing to compare: nothing gained.
    const [realMeanMs, shadowMeanMs] = [t.realMsSum, t.shadowMsSum].map((sum) => sum / Math.max(1, t.compared)) as [number, number]
    return { phase, decisions: t.decisions, agreement: t.agreed / t.decisions, realMeanMs, shadowMeanMs, gainMs: realMeanMs - shadowMeanMs }
  })
}
