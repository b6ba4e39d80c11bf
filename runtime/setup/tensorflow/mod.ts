/**
 * Setting native TensorFlow up where its packages' own installers cannot.
 * @module
 */
export { lookForBinding, planOf, removeTensorflow, setUp } from './setup.ts'
