/** The simulator: the production chart and policies on a virtual clock. @module */
export { type Goodput, keeps, PackedTrace, searchGoodput, simulate, TARGET } from './goodput.ts'
export { type Batching, SimInstance } from './instance.ts'
export type { Link } from './admission.ts'
export type { Latency, SimResult } from './outcomes.ts'
export { profileNames, profileOf } from './profiles.ts'
export { type Flip, Simulation, type SimOptions } from './simulator.ts'
export { type Arrival, readTrace } from './trace.ts'
