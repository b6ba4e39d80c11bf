/**
 * Policies as people name them: by name, or by the file of one's own. Every process that decides loads the same ones.
 * @module
 */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { VolleyError } from '../runtime/errors.ts'
import { checkPolicy, registerPolicy } from '../runtime/policy/mod.ts'

/** Whether a word names a file. */
const isFile = (word: string): boolean => /[\\/]|\.[cm]?[jt]s$/.test(word)

/**
 * The name of a policy: of a file, its policy's, which this process knows from then on. A word that names no file is
 * handed back. Error: `policy_invalid`.
 */
export async function policyNamed(word: string): Promise<string> {
  if (!isFile(word)) return word
  let loaded: { default?: unknown }
  try {
    loaded = (await import(pathToFileURL(resolve(word)).href)) as { default?: unknown }
  } catch (cause) {
    throw new VolleyError('policy_invalid', `Cannot load the policy ${word}: ${(cause as Error).message}`, {
      cause, param: 'policy', remedy: 'name a module whose default export is a Policy',
    })
  }
  const policy = checkPolicy(loaded.default, word)
  registerPolicy(policy)
  return policy.name
}
