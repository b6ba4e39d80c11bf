/**
 * The road a request took, as people read it: one line a state, numbers aligned, units always.
 * @module
 */

/** A state entered, as the events tell it. */
type Entered = { state: string; atMs: number } & Record<string, unknown>

/** One state on the road. */
export interface RoadStep {
  state: string
  /** Who took it up last; empty = nobody had to. */
  instance: string
  /** Since the request began. */
  atMs: number
  /** Until it was taken up, for the last time, and from then to the next state; undefined where it was not, or ends. */
  queuedMs: number | undefined
  ranMs: number | undefined
  /** How often it was taken up: more than once = a holder was lost. */
  claims: number
  /** Encode: a request's tiles, how many of them needed no encoding, and who began which. */
  encoded?: Encoded
}

interface Encoded {
  tiles: number
  cached: number
  parts: { instance: string; tiles: number; cached: number }[]
}

/** An instance took up the state before: part of that state, none of its own. */
const CLAIMED = 'claimed'

/** The states in order, each with the claims that follow it. */
export function roadOf(history: readonly Entered[]): RoadStep[] {
  const begin = history[0]?.atMs ?? 0
  return history.flatMap((entered, i) => {
    if (entered.state === CLAIMED) return []
    const rest = history.slice(i + 1)
    const after = rest.findIndex(({ state }) => state !== CLAIMED)
    const claims = after < 0 ? rest : rest.slice(0, after)
    const claim = claims.at(-1)
    const next = after < 0 ? undefined : rest[after]
    const who = claim?.['instance']
    const encoded = entered.state === 'encode' ? encodedOf(next) : undefined
    return [{
      state: entered.state,
      instance: typeof who === 'string' ? who : '',
      atMs: round(entered.atMs - begin),
      queuedMs: claim && round(claim.atMs - entered.atMs),
      ranMs: claim && next && round(next.atMs - claim.atMs),
      claims: claims.length,
      ...(encoded && { encoded }),
    }]
  })
}

/** What an encode has said of itself, if it did not fail. */
function encodedOf(next: Entered | undefined): Encoded | undefined {
  const detail = next?.['detail'] as Partial<Encoded> | undefined
  const { tiles, cached, parts } = detail ?? {}
  return tiles === undefined || cached === undefined || parts === undefined ? undefined : { tiles, cached, parts }
}

const round = (ms: number): number => Math.round(ms * 10) / 10

/** The road as aligned lines. */
export function renderRoad(id: string, road: readonly RoadStep[]): string {
  const width = (texts: string[]) => Math.max(0, ...texts.map(({ length }) => length))
  const states = width(road.map(({ state }) => state))
  const names = width(road.map(({ instance }) => instance))
  const time = (word: string, ms: number | undefined) =>
    ms === undefined ? ' '.repeat(word.length + 11) : `${word} ${ms.toFixed(1).padStart(7)} ms`
  const lines = road.map(({ state, instance, atMs, queuedMs, ranMs, claims, encoded }) => {
    const again = claims > 1 ? [`taken up ${claims} times`] : []
    const tiles = encoded ? [tileWords(encoded)] : []
    const times = [time('at', atMs), time('queued', queuedMs), time('ran', ranMs), ...again, ...tiles]
    return `  ${state.padEnd(states)}  ${instance.padEnd(names)}  ${times.join('  ')}`.trimEnd()
  })
  return [id, ...lines, ''].join('\n')
}

/** `8 tiles, 3 of them cached: i0 4, i1 4`. */
function tileWords({ tiles, cached, parts }: Encoded): string {
  const all = `${tiles} tile${tiles === 1 ? '' : 's'}`
  return `${all}${cached === 0 ? '' : `, ${cached} of them cached`}: ${parts.map((part) => `${part.instance} ${part.tiles}`).join(', ')}`
}
