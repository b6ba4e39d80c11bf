/**
 * Where KV blocks rest: one flat float32 array, block-first, so that a block is one run of bytes and a transfer of whole
 * blocks needs no gather. It knows shapes and offsets; who owns a block is the allocator's business.
 * @module
 */

/** Shape of a cache. */
export interface KvShape {
  layers: number
  /** kvHeads * headDim: floats of one token's K (or V) in one layer. */
  kvDim: number
  blockTokens: number
}

/** Floats of one block: [layers][K, V][blockTokens][kvDim]. */
export const blockFloats = (shape: KvShape): number => shape.layers * 2 * shape.blockTokens * shape.kvDim

export class KvPool {
  readonly shape: KvShape
  readonly blocks: number
  /** [blocks][layers][2][blockTokens][kvDim], on shared memory so that another thread can read a block in place. */
  readonly data: Float32Array

  constructor(shape: KvShape, blocks: number) {
    this.shape = shape
    this.blocks = blocks
    this.data = new Float32Array(new SharedArrayBuffer(blocks * blockFloats(shape) * 4))
  }

  /** Where token `slot` of `block` starts in `data`; `part` 0 = K, 1 = V. */
  offset(block: number, layer: number, part: 0 | 1, slot = 0): number {
    const { layers, kvDim, blockTokens } = this.shape
    return (((block * layers + layer) * 2 + part) * blockTokens + slot) * kvDim
  }

  /** One whole block, in place. */
  block(block: number): Float32Array {
    const floats = blockFloats(this.shape)
    return this.data.subarray(block * floats, (block + 1) * floats)
  }
}
