/** The simulator: the production chart and policies on a virtual clock. @module */
export { drawBurstgpt } from './burstgpt.ts'
export { type Goodput, keeps, PackedTrace, searchGoodput, simulate, TARGET } from './goodput.ts'
export { type Batching, SimInstance, type SimProfile } from './instance.ts'
export {
  type Agreement,
  compare,
  compareRun,
  type Comparison,
  type Latencies,
  measuredNames,
  measuredRun,
  simulateAlone,
} from './measured.ts'
export { type Fault, readFault } from './faults.ts'
export { type Flip, Observers, SimObserver, type SimStatus } from './observer.ts'
export type { Latency, SimResult } from './outcomes.ts'
export { profileInfos, profileNames, profileOf } from './profiles.ts'
export { ChromeTrace } from './report-chrome.ts'
export { type Report, reportPage, type ReportRun } from './report-page.ts'
export { RequestRecorder, type RequestRecord } from './report-requests.ts'
export { type RunSeries, SeriesRecorder } from './report-series.ts'
export { type OpenTrace, runAtRate, runGoodput, type RunOptions, type RunResult, simulateStream } from './run.ts'
export { type SimOptions, Simulation } from './simulator.ts'
export { drawServegen } from './servegen.ts'
export { type Kind, loadOf, type Segment, synthesise, thin } from './synthetic.ts'
export { type Arrival, readTrace } from './trace.ts'
export { type Variant, type VariantOptions, variantsOf } from './variants.ts'
export type { Link } from './timeline.ts'
