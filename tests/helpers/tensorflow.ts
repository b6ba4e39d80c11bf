/**
 * Whether native TensorFlow is set up on this machine, for tests that need it (tensorflow-line.ts says so to the user).
 * @module
 */
import { prepareEnvironment } from '../../runtime/engine/native/environment.ts'
import { installedBindings, readRecord } from '../../runtime/engine/native/record.ts'

export const tensorflowHere: boolean = readRecord() !== undefined || installedBindings().length > 0

if (tensorflowHere) prepareEnvironment(1)
else console.log('tests on native TensorFlow: skipped, the library is not set up here (npm run setup:tensorflow)')

/** Backends that can be tested here, out of those named. */
export const backendsHere = (...names: string[]): string[] =>
  names.filter((name) => name !== 'tensorflow' || tensorflowHere)
