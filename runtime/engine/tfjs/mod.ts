/**
 * Models on TensorFlow.js.
 * @module
 */
export { tfjsForward, type TfjsForwardOptions } from './decoder.ts'
