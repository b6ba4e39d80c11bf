/**
 * Stop strings over one choice's tokens: the decode side decides the end with the same classes that the gateway shows
 * text with.
 * @module
 */
import { Detokenizer } from '../runtime/engine/text/detokenizer.ts'
import { StopMatcher } from '../runtime/engine/text/stop.ts'
import type { TextModel } from '../runtime/engine/text.ts'
import type { StopWatch } from './choices.ts'

export function stopWatchOf(text: TextModel): (stop: string[]) => StopWatch {
  return (stop) => {
    const matcher = new StopMatcher(stop)
    const detokenizer = new Detokenizer(text)
    return (token) => matcher.push(detokenizer.push([token])).stop !== undefined
  }
}
