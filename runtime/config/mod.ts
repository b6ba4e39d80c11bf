/**
 * The config's door: one typed object from flags, environment and file.
 * @module
 */
export type { Config, EngineName, PhaseLabel, Role } from './config.ts'
export { nearest } from './nearest.ts'
export { describeConfig, resolveConfig, type Resolved, type ResolveOptions, toEnvironment } from './resolve.ts'
export { OTHER_VARIABLES, type Setting, SETTINGS, variableOf } from './settings.ts'
export type { Environment } from './sources.ts'
