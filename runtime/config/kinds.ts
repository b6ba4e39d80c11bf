/**
 * Kinds of values a setting can have: each reads text (flags, environment) or JSON (files), says in words what it
 * expects, and writes a value back as text. Knows no setting.
 * @module
 */

/** One kind of value. */
export interface Kind<T> {
  /** Completes "must be …". */
  expects: string
  /** Undefined when `raw` is not such a value. */
  read(raw: unknown): T | undefined
  /** As text that `read` takes back; the empty string = not set. */
  show(value: T): string
}

/** A whole number within bounds. */
export function integer({ min, max }: { min: number; max: number }): Kind<number> {
  return {
    expects: `a whole number from ${min} to ${max}`,
    read(raw) {
      const value = typeof raw === 'string' && /^-?\d+$/.test(raw) ? Number(raw) : raw
      return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined
    },
    show: String,
  }
}

/** Text that is not empty. */
export function text(expects: string, pattern = /^[^\0]+$/): Kind<string> {
  return {
    expects,
    read: (raw) => (typeof raw === 'string' && pattern.test(raw) ? raw : undefined),
    show: (value) => value,
  }
}

/** One of a few words. */
export function oneOf<const W extends string>(words: readonly W[]): Kind<W> {
  return {
    expects: words.length > 1 ? `one of ${words.join(', ')}` : words.join(),
    read: (raw) => words.find((word) => word === raw),
    show: (value) => value,
  }
}

/** A value that may be left out. */
export function optional<T>(kind: Kind<T>): Kind<T | undefined> {
  return { ...kind, show: (value) => (value === undefined ? '' : kind.show(value)) }
}

/** Several values: an array, or text with commas. */
export function list(kind: Kind<string>): Kind<string[]> {
  return {
    expects: `one or more, separated by commas: ${kind.expects}`,
    read(raw) {
      const items = (Array.isArray(raw) ? raw : [raw]).flatMap((
        item,
      ) => (typeof item === 'string' ? item.split(',') : [item]))
      const read = items.map((item) => kind.read(typeof item === 'string' ? item.trim() : item))
      return read.every((item) => item !== undefined) ? read : undefined
    },
    show: (value) => value.join(','),
  }
}

/** A length of time in seconds, as milliseconds: `10`, `10s`, `500ms`. */
export function durationMs({ maxMs }: { maxMs: number }): Kind<number> {
  return {
    expects: `seconds from 0 to ${maxMs / 1000}, such as 10, 1.5s or 500ms`,
    read(raw) {
      const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(String(raw)) ?? []
      const ms = Number(digits) * (unit === 'ms' ? 1 : 1000)
      return ms >= 0 && ms <= maxMs ? ms : undefined
    },
    show: (value) => (value % 1000 === 0 ? `${value / 1000}s` : `${value}ms`),
  }
}

/** `a=1,b=2` or an object: some of `names`, each with a value of one kind. */
export function pairs<const N extends string, T>(
  names: readonly N[],
  kind: Kind<T>,
  sign = '=',
): Kind<Partial<Record<N, T>>> {
  return {
    expects: `${names.map((name) => `${name}${sign}…`).join(', ')} (some of them), each ${kind.expects}`,
    read(raw) {
      const entries = typeof raw === 'string'
        ? raw.split(',').map((part) => part.split(sign))
        : isRecord(raw)
        ? Object.entries(raw)
        : []
      const out: Partial<Record<N, T>> = {}
      for (const [key, value, more] of entries) {
        const name = names.find((n) => n === String(key).trim())
        const read = kind.read(typeof value === 'string' ? value.trim() : value)
        if (name === undefined || read === undefined || more !== undefined || name in out) return undefined
        out[name] = read
      }
      return entries.length > 0 ? out : undefined
    },
    show: (value) =>
      names.flatMap((name) => (value[name] === undefined ? [] : [`${name}${sign}${kind.show(value[name] as T)}`])).join(
        ',',
      ),
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
