/**
 * Network links that transfers share: every host has one out and one in, all of the same rate, and the flows on them get
 * max-min fair shares. Whenever a flow begins or ends the shares are dealt again. Knows nothing of what is moved.
 * @module
 */

/** Bytes on their way from one host to another. */
export interface Flow {
  readonly from: number
  readonly to: number
  /** Bytes that are not there yet. */
  left: number
  /** Bytes a millisecond, as last dealt. */
  rate: number
  /** When it ends at this rate. */
  endMs: number
}

export class Links {
  private readonly bytesPerMs: number
  private readonly flows = new Set<Flow>()
  private nowMs = 0
  private next = Infinity

  /** `bytesPerMs` = of each link. */
  constructor(bytesPerMs: number) {
    this.bytesPerMs = bytesPerMs
  }

  /** When the next flow ends, if none begins before; Infinity = there is none. */
  get nextMs(): number {
    return this.next
  }

  /** Puts bytes on the links of two hosts. */
  start(from: number, to: number, bytes: number, nowMs: number): Flow {
    const flow: Flow = { from, to, left: bytes, rate: 0, endMs: Infinity }
    this.advance(nowMs)
    this.flows.add(flow)
    this.deal()
    return flow
  }

  /** Takes a flow off: it will never end. */
  cancel(flow: Flow, nowMs: number): void {
    this.advance(nowMs)
    this.flows.delete(flow)
    this.deal()
  }

  /** Flows that have ended by now, in the order in which they began. */
  ended(nowMs: number): Flow[] {
    this.advance(nowMs)
    const ended = [...this.flows].filter((flow) => flow.endMs <= nowMs)
    for (const flow of ended) this.flows.delete(flow)
    this.deal()
    return ended
  }

  private advance(nowMs: number): void {
    const passedMs = nowMs - this.nowMs
    this.nowMs = nowMs
    for (const flow of this.flows) flow.left = Math.max(0, flow.left - flow.rate * passedMs)
  }

  /** Progressive filling: the link with the least to give to each of its flows fixes theirs, then the next. */
  private deal(): void {
    const open = new Set(this.flows)
    const left = new Map<number, number>()
    // Out-links have even numbers, in-links odd ones.
    const linksOf = ({ from, to }: Flow): [number, number] => [2 * from, 2 * to + 1]
    while (open.size > 0) {
      const sharers = new Map<number, number>()
      for (const flow of open) for (const link of linksOf(flow)) sharers.set(link, (sharers.get(link) ?? 0) + 1)
      let tightest = { link: -1, share: Infinity }
      for (const [link, count] of sharers) {
        const share = (left.get(link) ?? this.bytesPerMs) / count
        if (share < tightest.share) tightest = { link, share }
      }
      for (const flow of open) {
        const links = linksOf(flow)
        if (!links.includes(tightest.link)) continue
        flow.rate = tightest.share
        flow.endMs = this.nowMs + flow.left / flow.rate
        open.delete(flow)
        for (const link of links) left.set(link, (left.get(link) ?? this.bytesPerMs) - tightest.share)
      }
    }
    this.next = Math.min(Infinity, ...[...this.flows].map((flow) => flow.endMs))
  }
}
