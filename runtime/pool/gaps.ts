/**
 * Pauses between the tokens that an instance's decodes make, by interval: what TPOT is watched with.
 * @module
 */
import type { Clock } from '../clock.ts'
import type { TokenGaps } from '../policy/policy.ts'

const NONE: TokenGaps = { count: 0, sumMs: 0, firstCount: 0, firstSumMs: 0, openMs: 0 }

export class GapMeter {
  private readonly clock: Clock
  /** Monotonic time of each running decode's last token; `first` = it was made by prefill. */
  private readonly last = new Map<string, { atMs: number; first: boolean }>()
  private now = { ...NONE }
  private done: TokenGaps = NONE

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** A decode begins; its first token is so old. */
  begin(request: string, ageMs: number): void {
    this.last.set(request, { atMs: this.clock.monotonic() - Math.max(0, ageMs), first: true })
  }

  /** A step has brought tokens for it. */
  token(request: string): void {
    const atMs = this.clock.monotonic()
    const before = this.last.get(request)
    if (before?.first) this.now = { ...this.now, firstCount: this.now.firstCount + 1, firstSumMs: this.now.firstSumMs + atMs - before.atMs }
    else if (before) this.now = { ...this.now, count: this.now.count + 1, sumMs: this.now.sumMs + atMs - before.atMs }
    this.last.set(request, { atMs, first: false })
  }

  end(request: string): void {
    this.last.delete(request)
  }

  /** Closes the interval: what ended in it is what `read` tells until the next one is closed. */
  turn(): void {
    this.done = this.now
    this.now = { ...NONE }
  }

  /** The last closed interval, and how long the longest running gap is open. */
  read(): TokenGaps {
    const now = this.clock.monotonic()
    const openMs = Math.max(0, ...[...this.last.values()].filter((l) => !l.first).map((l) => now - l.atMs))
    return { ...this.done, openMs }
  }
}
