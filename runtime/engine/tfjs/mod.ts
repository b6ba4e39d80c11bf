/**
 * Models on TensorFlow.js.
 * @module
 */
export { tfjsForward } from './decoder.ts'
export { tfjsEncoder } from './vision/encoder.ts'
