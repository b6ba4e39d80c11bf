/**
 * A binary heap of numbered things by two numbers: the first decides, then the second, so that equal times have one
 * order.
 * @module
 */

export interface Keyed {
  /** Virtual ms, or an iteration's number. */
  readonly at: number
  /** Decides between equals. */
  readonly rank: number
}

const before = (a: Keyed, b: Keyed): boolean => a.at < b.at || (a.at === b.at && a.rank < b.rank)

export class Heap<T extends Keyed> {
  private items: T[] = []

  get size(): number {
    return this.items.length
  }

  peek(): T | undefined {
    return this.items[0]
  }

  push(item: T): void {
    const { items } = this
    let at = items.length
    items.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(item, items[parent]!)) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = item
  }

  /** Takes the one that `worse` ranks behind all others. Linear in the size. */
  popWorst(worse: (a: T, b: T) => boolean): T | undefined {
    if (this.items.length === 0) return undefined
    const worst = this.items.reduce((a, b) => (worse(b, a) ? b : a))
    const rest = this.items.filter((item) => item !== worst)
    this.items.length = 0
    for (const item of rest) this.push(item)
    return worst
  }

  /** Empties it; what was in it, in no order. */
  drain(): T[] {
    const all = this.items
    this.items = []
    return all
  }

  pop(): T | undefined {
    const { items } = this
    const top = items[0]
    const last = items.pop()
    if (last === undefined || items.length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && before(items[child + 1]!, items[child]!)) child++
      if (!before(items[child]!, last)) break
      items[at] = items[child]!
      at = child
    }
    items[at] = last
    return top
  }
}
