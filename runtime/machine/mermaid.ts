/**
 * A pipeline as a Mermaid state diagram, drawn from the chart itself.
 * @module
 */
import type { Pipeline, TransitionConfig } from './pipeline.ts'
import { FINAL_STATES } from './types.ts'

/** `stateDiagram-v2` text. CANCEL, FAIL and DEADLINE lead from every state and are said once, in a note. */
export function toMermaid(pipeline: Pipeline): string {
  const lines = ['stateDiagram-v2', `  [*] --> ${pipeline.initial}`]
  const edge = (from: string, label: string, raw: string | TransitionConfig) => {
    const t = typeof raw === 'string' ? { target: raw } : raw
    const guard = t.guard === undefined ? '' : ` [${t.guard}]`
    lines.push(`  ${from} --> ${t.target ?? from}: ${label}${guard}`)
  }
  const each = <T>(value: T | T[], use: (one: T) => void) => (Array.isArray(value) ? value : [value]).forEach(use)
  for (const [name, state] of Object.entries(pipeline.states)) {
    if (state.phase !== undefined && state.phase !== name) lines.push(`  ${name}: ${name} (${state.phase})`)
    if (state.always !== undefined) each(state.always, (t) => edge(name, 'at once', t))
    for (const [event, to] of Object.entries(state.on ?? {})) each(to, (t) => edge(name, event, t))
    for (const [ms, to] of Object.entries(state.after ?? {})) edge(name, `after ${ms} ms`, to)
  }
  for (const final of FINAL_STATES) lines.push(`  ${final} --> [*]`)
  lines.push(`  note right of ${pipeline.initial}: CANCEL leads from every state to cancelled, FAIL and DEADLINE to failed`)
  return lines.join('\n') + '\n'
}
