/** The request's machine: charts, one pure step, their pictures. @module */
export { definePipeline, type Pipeline } from './pipeline.ts'
export { pipelineOf, pipelines, registerPipeline } from './registry.ts'
export { start, step } from './step.ts'
export { toMermaid } from './mermaid.ts'
export { FINAL_STATES, type PhaseEvent, type Stored } from './types.ts'
