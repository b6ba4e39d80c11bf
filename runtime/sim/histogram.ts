/**
 * A histogram of milliseconds in buckets 0.5 % wide: quantiles of any number of values in a fixed amount of memory.
 * @module
 */

const GROWTH = Math.log(1.005)
/** Values from 1 µs to 10^8 ms. */
const LOWEST_MS = 1e-3
const BUCKETS = Math.ceil(Math.log(1e8 / LOWEST_MS) / GROWTH)

export class Histogram {
  count = 0
  private sumMs = 0
  private readonly buckets = new Uint32Array(BUCKETS + 1)

  add(ms: number): void {
    const at = ms <= LOWEST_MS ? 0 : Math.min(BUCKETS, 1 + Math.floor(Math.log(ms / LOWEST_MS) / GROWTH))
    this.buckets[at]!++
    this.count++
    this.sumMs += ms
  }

  /** Exact. NaN when empty. */
  mean(): number {
    return this.sumMs / this.count
  }

  /**
   * Value below which a share `p` (0..1) lies, within 0.5 %; 0 when it is no more than a microsecond. NaN when
   * empty.
   */
  quantile(p: number): number {
    if (this.count === 0) return NaN
    const rank = Math.min(this.count - 1, Math.floor(p * this.count))
    let below = 0
    for (let at = 0; at <= BUCKETS; at++) {
      below += this.buckets[at]!
      if (below > rank) return at === 0 ? 0 : LOWEST_MS * Math.exp((at - 0.5) * GROWTH)
    }
    return NaN
  }
}
