/**
 * The config's door: one typed object from flags, environment and file.
 * @module
 */
export type { Config, PhaseLabel, Role } from './config.ts'
export { nearest } from './nearest.ts'
export { describeConfig, type Resolved, resolveConfig, toEnvironment } from './resolve.ts'
export { OTHER_VARIABLES, type Setting, SETTINGS, variableOf } from './settings.ts'
