/**
 * Promises that are handed out before anybody awaits them.
 * @module
 */

/** The same promise; a rejection that nobody awaits yet does not end the process. Whoever awaits it sees it. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
