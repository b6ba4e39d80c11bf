/** The request's machine: charts, one pure step, their pictures. @module */
export { definePipeline, type Pipeline, type PipelineConfig, type StateConfig, type TransitionConfig } from './pipeline.ts'
export { pipelineOf, pipelines, registerPipeline } from './registry.ts'
export { nameOf, start, step } from './step.ts'
export { toMermaid } from './mermaid.ts'
export { type Effect, type ErrorInfo, FINAL_STATES, type FinalState, type PhaseEvent, type Step, type Stored } from './types.ts'
export { generate, type KvRef, type LlmContext, type LlmInput, type PromptRef } from './generate.ts'
