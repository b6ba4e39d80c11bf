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
    const issue = precise(result.error.issues[0]!)
    const param = pathName(issue.path)
    const missing = issue.path.length === 1 && !Object.hasOwn(body, issue.path[0]!)
    throw new VolleyError('invalid_request', missing ? `"${param}" is missing` : `"${param}": ${issue.message}`, {
      param,
    })
  }
  return { body: result.data, ignored }
}

interface Issue {
  path: PropertyKey[]
  message: string
}

/** Where nothing that is allowed fits: the alternative that went wrong further inside, for it was meant. */
function precise(issue: z.core.$ZodIssue): Issue {
  if (issue.code !== 'invalid_union') return issue
  const inside = issue.errors.flatMap(([first]) => (first !== undefined && first.path.length > 0 ? [precise(first)] : []))
  return inside.length === 1 ? { ...inside[0]!, path: [...issue.path, ...inside[0]!.path] } : issue
}

/** `messages[0].content` of `['messages', 0, 'content']`. */
const pathName = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (name, key) => (typeof key === 'number' ? `${name}[${key}]` : name === '' ? String(key) : `${name}.${String(key)}`),
    '',
  )
