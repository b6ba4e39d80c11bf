/**
 * One route: a row of the table in routes.ts, and what pages about routes see of it.
 * @module
 */
import type { Context } from 'hono'

export interface Route {
  method: 'GET' | 'POST' | 'DELETE'
  /** In Hono's spelling. */
  path: string
  summary: string
  handle: (c: Context) => Response | Promise<Response>
}

/** A path as people are shown it: a parameter's pattern is the router's affair. */
export const shownPath = (path: string): string => path.replace(/\{.*\}/, '')
