/**
 * What the doctor finds, one thing at a time.
 * @module
 */

/** `missing` breaks something; `absent` is something one can do without. */
export interface Finding {
  check: string
  status: 'ok' | 'absent' | 'missing'
  detail: string
  /** The command or step that mends it. */
  remedy?: string
  [more: string]: unknown
}
