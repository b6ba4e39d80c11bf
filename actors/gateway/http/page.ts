/**
 * What a browser or `curl` gets at `/`: plain words about what this is and where to go.
 * @module
 */
import type { ServedModel } from '../front.ts'
import type { Route } from './route.ts'

/** A page of plain text. */
export function frontPage(models: readonly ServedModel[], routes: readonly Route[]): string {
  const names = models.map(({ text }) => text.name)
  // A parameter's pattern is the router's affair.
  const lines = routes.map(({ method, path, summary }) => ({ method, path: path.replace(/\{.*\}/, ''), summary }))
  const width = Math.max(...lines.map(({ path }) => path.length))
  const table = lines.map(({ method, path, summary }) => `  ${method.padEnd(6)} ${path.padEnd(width)}  ${summary}`)
  return `Volley serves language models with the phases of a request pulled apart.
Point any OpenAI client at /v1.

Models: ${names.join(', ') || 'none yet'}

${table.join('\n')}
`
}
