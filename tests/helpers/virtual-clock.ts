/**
 * Virtual time: timers fire in order of (time, age), as fast as the code between them runs. A process's clock can be
 * stopped for ever (killed) or for a while (paused) without touching the others.
 * @module
 */
import type { Clock } from '../../runtime/clock.ts'

interface Timer {
  at: number
  order: number
  callback: () => void
}

export class VirtualClock implements Clock {
  private time = 0
  private order = 0
  private timers: Timer[] = []

  now(): number {
    return 1_700_000_000_000 + this.time
  }

  monotonic(): number {
    return this.time
  }

  setTimer(ms: number, callback: () => void): () => void {
    const timer: Timer = { at: this.time + Math.max(0, ms), order: ++this.order, callback }
    // Kept sorted by insertion: most new timers are near the end.
    let i = this.timers.length
    while (i > 0 && this.timers[i - 1]!.at > timer.at) i--
    this.timers.splice(i, 0, timer)
    return () => {
      const at = this.timers.indexOf(timer)
      if (at >= 0) this.timers.splice(at, 1)
    }
  }

  /** Runs until `done()` holds, or virtual `limitMs` have passed; answers whether it held. */
  async runUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    const end = this.time + limitMs
    await settled()
    while (!done()) {
      const next = this.timers[0]
      if (!next || next.at > end) return done()
      this.timers.shift()
      this.time = next.at
      next.callback()
      await settled()
    }
    return true
  }

  async advance(ms: number): Promise<void> {
    await this.runUntil(() => false, ms)
  }
}

/** Lets every promise that can settle now do so. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** The clock of one process on a shared virtual time. */
export class ProcessClock implements Clock {
  private readonly base: VirtualClock
  private killed = false
  private pausedUntil = 0

  constructor(base: VirtualClock) {
    this.base = base
  }

  now(): number {
    return this.base.now()
  }

  monotonic(): number {
    return this.base.monotonic()
  }

  setTimer(ms: number, callback: () => void): () => void {
    let cancelled = false
    let cancel = this.base.setTimer(ms, fire)
    const self = this
    function fire() {
      if (cancelled || self.killed) return
      const wait = self.pausedUntil - self.base.monotonic()
      if (wait > 0) cancel = self.base.setTimer(wait, fire)
      else callback()
    }
    return () => {
      cancelled = true
      cancel()
    }
  }

  kill(): void {
    this.killed = true
  }

  pause(ms: number): void {
    this.pausedUntil = this.base.monotonic() + ms
  }
}
