/** The toy model as an engine thread loads it. @module */
import type { ModelFactory } from '../../runtime/engine/worker/protocol.ts'
import { toyForward, type ToyOptions } from './toy-forward.ts'
import { toyVision, type ToyVisionOptions } from './toy-vision.ts'

const loadToy: ModelFactory = async (load) => {
  if (load['fail']) throw new Error('no such toy')
  if (load['exit']) process.exit(4)
  if (load['hang']) await new Promise((resolve) => setTimeout(resolve, 1e8))
  const { vision } = load
  const sight = vision !== undefined && { vision: toyVision(vision as ToyVisionOptions) }
  return { forward: toyForward(load as ToyOptions), model: 'toy', modelDigest: 'd1', ...sight }
}
export default loadToy
