/**
 * llama.cpp's converter reorders the q and k rows of Llama-family models so that RoPE turns adjacent pairs; this puts
 * them back into Hugging Face's order, where row i of a head is turned with row i + dim/2.
 * @module
 */

/** Undoes the permutation. `values` [heads * dim, columns], also a bias (one column); answers a fresh array. */
export function unpermuteRows(values: Float32Array, heads: number, dim: number): Float32Array {
  const columns = values.length / (heads * dim)
  const half = dim / 2
  const out = new Float32Array(values.length)
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < dim; row++) {
      // Stored row 2i + j is the original's row j * dim/2 + i.
      const from = (head * dim + row) * columns
      const to = (head * dim + (row & 1) * half + (row >> 1)) * columns
      out.set(values.subarray(from, from + columns), to)
    }
  }
  return out
}
