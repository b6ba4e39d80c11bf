/**
 * Asking the HTTP app in tests.
 * @module
 */
import type { Hono } from 'hono'

// A test reads into answers of any shape; expect() is what checks them.
// deno-lint-ignore no-explicit-any
export type Loose = any

/** POSTs JSON to a path of an app. */
export const post = (app: Hono, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  Promise.resolve(app.request(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  }))

/** The data lines of an event stream; `[DONE]` stays text. */
export async function events(response: Response): Promise<Loose[]> {
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: '))
  return lines.map((line) => (line === 'data: [DONE]' ? '[DONE]' : JSON.parse(line.slice(6))))
}
