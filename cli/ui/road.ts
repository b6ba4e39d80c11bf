/**
 * The road a request took, as people read it: one line a state, numbers aligned, units always.
 * @module
 */

/** A state entered, as the events tell it. */
type Entered = { state: string; atMs: number } & Record<string, unknown>

/** One stretch of the road. */
export interface RoadStep {
  state: string
  /** Who worked; empty = nobody yet. */
  instance: string
  /** Since the request began. */
  atMs: number
  /** How long the state lasted; undefined = it is the last. */
  ms: number | undefined
}

const LAST = ['done', 'failed', 'cancelled']

/** The stretches between one state and the next. An event names the instance whose work led into its state. */
export function roadOf(history: readonly Entered[]): RoadStep[] {
  const begin = history[0]?.atMs ?? 0
  return history.map(({ state, atMs }, i) => {
    const next = history[i + 1]
    const who = next?.['instance']
    return {
      state,
      instance: typeof who === 'string' ? who : '',
      atMs: round(atMs - begin),
      ms: next === undefined || LAST.includes(state) ? undefined : round(next.atMs - atMs),
    }
  })
}

const round = (ms: number): number => Math.round(ms * 10) / 10

/** The road as aligned lines. */
export function renderRoad(id: string, road: readonly RoadStep[]): string {
  const states = Math.max(0, ...road.map(({ state }) => state.length))
  const names = Math.max(0, ...road.map(({ instance }) => instance.length))
  const lines = road.map(({ state, instance, atMs, ms }) => {
    const lasted = ms === undefined ? '' : `${String(ms).padStart(8)} ms`
    return `  ${state.padEnd(states)}  ${instance.padEnd(names)}  at ${String(atMs).padStart(8)} ms ${lasted}`.trimEnd()
  })
  return [id, ...lines, ''].join('\n')
}
