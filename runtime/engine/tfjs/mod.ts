/**
 * Models on TensorFlow.js.
 * @module
 */
export { tfjsForward } from './decoder.ts'
