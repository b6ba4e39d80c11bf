/**
 * Volley's front door for programs: write pipelines and actors, talk to a running system.
 * @module
 */
export { connect, type Client, type ConnectOptions, type InstanceInfo, type RequestDetails, type RequestSummary, type Transition } from './runtime/client/mod.ts'
export { type ErrorCode, VolleyError } from './runtime/errors.ts'
export { definePipeline, type Pipeline, type PipelineConfig, type StateConfig, type TransitionConfig } from './runtime/machine/pipeline.ts'
export { generate, type GenerateOptions, type GenerateParts, type KvRef, type LlmContext, type LlmInput } from './runtime/machine/generate.ts'
export type { PhaseEvent } from './runtime/machine/types.ts'
export {
  candidates, carries, checkPolicy, type ClusterView, type CostProfile, type Decision, holder, type InstanceView, type Label, type LabelChange, least,
  lowest, place, type PlaceRequest, type Policy, pool, type PolicyState, prefillMs, residentLimit, type TickDecision, unmeasured,
} from './runtime/policy/mod.ts'
export { type Actor, type ActorConfig, type ActorContext, defineActor } from './runtime/pool/actor.ts'
