/**
 * What a browser or `curl` gets at `/`: plain words about what this is and where to go.
 * @module
 */
import type { ServedModel } from '../front.ts'
import { type Route, shownPath } from './route.ts'

/** A page of plain text. */
export function frontPage(models: readonly ServedModel[], routes: readonly Route[]): string {
  const names = models.map(({ text }) => text.name)
  const width = Math.max(...routes.map(({ path }) => shownPath(path).length))
  const table = routes.map(({ method, path, summary }) => `  ${method.padEnd(6)} ${shownPath(path).padEnd(width)}  ${summary}`)
  return `Volley serves language models with the phases of a request pulled apart.
Point any OpenAI client at /v1.

Models: ${names.join(', ') || 'none yet'}

${table.join('\n')}
`
}
