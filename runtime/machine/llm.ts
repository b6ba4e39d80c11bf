/**
 * The pipeline of a language-model request: generate, shown as it is made, and done.
 * @module
 */
import { generate, type LlmContext, type LlmInput } from './generate.ts'
import { definePipeline, type Pipeline } from './pipeline.ts'

export const llm: Pipeline = definePipeline<LlmInput, LlmContext>({
  name: 'llm',
  version: 1,
  ...generate({ then: 'done' }),
  initial: 'admitted',
})
