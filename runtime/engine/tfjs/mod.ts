/**
 * Models on TensorFlow.js.
 * @module
 */
export { tfjsForward } from './decoder.ts'
export { ENCODER_BACKENDS, tfjsEncoder } from './vision/encoder.ts'
