/**
 * From a parsed body to a checked one: nulls dropped, unknown fields named, the first thing wrong told in one sentence.
 * @module
 */
import type { z } from 'zod'
import { VolleyError } from '../../../runtime/errors.ts'
import { ignoredFields, withoutNulls } from './fields.ts'

/** Errors: `invalid_request` with the field, `unsupported_parameter`. */
export function validate<T extends z.ZodObject>(
  schema: T,
  raw: Record<string, unknown>,
): { body: z.infer<T>; ignored: string[] } {
  const body = withoutNulls(raw)
  const ignored = ignoredFields(body, schema.shape)
  const result = schema.safeParse(body)
  if (!result.success) {
    const issue = result.error.issues[0]!
    const param = pathName(issue.path)
    const missing = issue.path.length === 1 && !Object.hasOwn(body, issue.path[0]!)
    throw new VolleyError('invalid_request', missing ? `"${param}" is missing` : `"${param}": ${issue.message}`, {
      param,
    })
  }
  return { body: result.data, ignored }
}

/** `messages[0].content` of `['messages', 0, 'content']`. */
const pathName = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (name, key) => (typeof key === 'number' ? `${name}[${key}]` : name === '' ? String(key) : `${name}.${String(key)}`),
    '',
  )
