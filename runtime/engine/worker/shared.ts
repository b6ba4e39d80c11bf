/**
 * Arrays on memory that two threads share, so that a message carries them without a copy.
 * @module
 */

/** The bytes on shared memory: copied once if they are not there yet, and never with a larger buffer they lie in. */
export function sharedBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}

/** The same for floats. */
export function sharedFloats(floats: Float32Array): Float32Array {
  const { buffer, byteOffset } = sharedBytes(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength))
  return new Float32Array(buffer, byteOffset, floats.length)
}
