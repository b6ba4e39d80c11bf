/** A first-in-first-out queue whose front is cheap to take, and from which anything can be pulled. @module */

export class Fifo<T> {
  private items: T[] = []
  private head = 0

  get size(): number {
    return this.items.length - this.head
  }

  peek(): T | undefined {
    return this.items[this.head]
  }

  /** The one `at` places behind the front. */
  at(at: number): T | undefined {
    return this.items[this.head + at]
  }

  push(item: T): void {
    this.items.push(item)
  }

  /** Before all others. */
  unshift(item: T): void {
    if (this.head > 0) this.items[--this.head] = item
    else this.items.unshift(item)
  }

  shift(): T | undefined {
    if (this.size === 0) return undefined
    const item = this.items[this.head++]
    if (this.head > 1_024 && this.head * 2 > this.items.length) this.compact()
    return item
  }

  remove(item: T): void {
    this.compact()
    this.items = this.items.filter((i) => i !== item)
  }

  clear(): void {
    this.items = []
    this.head = 0
  }

  *[Symbol.iterator](): Generator<T> {
    for (let at = this.head; at < this.items.length; at++) yield this.items[at]!
  }

  private compact(): void {
    this.items = this.items.slice(this.head)
    this.head = 0
  }
}
