/**
 * For tests that not every machine can run: says what is missing, once, and answers whether to skip.
 * @module
 */

/** `describe.skipIf(lacks(condition, 'what is missing'))`. */
export function lacks(missing: boolean, what: string): boolean {
  if (missing) console.log(`skipped: ${what}`)
  return missing
}
