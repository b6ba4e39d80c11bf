/**
 * libtensorflow's operations called by its own handles. A step makes some thousand small tensors; without tfjs's
 * registry, tape and tidy around each of them a call costs half, and a large one is freed as soon as it has been used,
 * so that the next takes its memory while it is still in the processor's cache.
 * @module
 */
import type * as tf from '@tensorflow/tfjs-core'
import type { CompiledGraph } from './compiled.ts'
import { FLOAT, INT32 } from './graph-def.ts'
import { type Handle, nativeBackend, type NativeBackend, type OpAttr } from './load.ts'

/** Constant operands (shapes, orders, scalars) are kept by value; this many at most, then all are made anew. */
const MOST_CONSTANTS = 2000
const constants = new Map<string, Handle>()

/** Attributes never change: one array for each set. */
const attrSets = new Map<string, OpAttr[]>()

function attrsOf(...names: string[]): OpAttr[] {
  const key = names.join()
  const known = attrSets.get(key)
  if (known !== undefined) return known
  const { TF_ATTR_TYPE, TF_ATTR_BOOL, TF_ATTR_STRING } = nativeBackend().binding
  const made = names.map((text): OpAttr => {
    const [name = '', value = ''] = text.split('=')
    if (value === 'float') return { name, type: TF_ATTR_TYPE, value: FLOAT }
    if (value === 'int32') return { name, type: TF_ATTR_TYPE, value: INT32 }
    if (name === '_kernel') return { name, type: TF_ATTR_STRING, value }
    return { name, type: TF_ATTR_BOOL, value: value === 'true' }
  })
  attrSets.set(key, made)
  return made
}

/** Operations of one kernel's run. What they make is freed at its end, or earlier by `free`. */
class Ops {
  readonly #backend: NativeBackend = nativeBackend()
  readonly #made = new Set<Handle>()

  /** An input's handle, which stays its owner's. */
  readonly of = (tensor: tf.Tensor): Handle => this.#backend.getInputTensorIds([tensor])[0] as Handle

  /** New values. The library may go on reading the array that it is given. */
  floats(values: Float32Array, shape: number[]): Handle {
    return this.#own(this.#backend.binding.createTensor(shape, FLOAT, values))
  }

  add = (a: Handle, b: Handle): Handle => this.#run('AddV2', attrsOf('T=float'), a, b)
  mul = (a: Handle, b: Handle): Handle => this.#run('Mul', attrsOf('T=float'), a, b)
  square = (x: Handle): Handle => this.#run('Square', attrsOf('T=float'), x)
  rsqrt = (x: Handle): Handle => this.#run('Rsqrt', attrsOf('T=float'), x)
  /** a * sigmoid(b): what TensorFlow calls the gradient a of softplus at b. */
  timesSigmoid = (a: Handle, b: Handle): Handle => this.#run('SoftplusGrad', attrsOf('T=float'), a, b)

  /** Square root of the sum of squares over the last of two axes, which stays with size 1. */
  rowNorms = (x: Handle): Handle =>
    this.#run('EuclideanNorm', attrsOf('T=float', 'Tidx=int32', 'keep_dims=true'), x, this.ints(1))

  /** [rows, in] times [in, out]. `MatMul` itself: tfjs would call `BatchMatMulV2`, which takes a slower path. */
  matMul = (x: Handle, weight: Handle): Handle =>
    this.#run('MatMul', attrsOf('T=float', 'transpose_a=false', 'transpose_b=false'), x, weight)

  /** [n, a, b] times [n, b, c], or [n, c, b] with `turned`. */
  matMuls = (x: Handle, y: Handle, turned: boolean): Handle =>
    this.#run('BatchMatMulV2', attrsOf('T=float', 'adj_x=false', `adj_y=${turned}`), x, y)

  /** Over the last axis. oneDNN's own kernel, where the library has it, takes half the time of the other. */
  softmax(x: Handle): Handle {
    fastSoftmax ??= hasFastSoftmax(this.#backend)
    return fastSoftmax
      ? this.#run('_MklSoftmax', attrsOf('T=float', `_kernel=${FAST_KERNEL}`), x)
      : this.#run('Softmax', attrsOf('T=float'), x)
  }

  /** A view. */
  reshape = (x: Handle, ...shape: number[]): Handle =>
    this.#run('Reshape', attrsOf('T=float', 'Tshape=int32'), x, this.ints(...shape))

  /** A view, if only the first axis is cut. */
  slice = (x: Handle, begin: number[], size: number[]): Handle =>
    this.#run('Slice', attrsOf('T=float', 'Index=int32'), x, this.ints(...begin), this.ints(...size))

  transpose = (x: Handle, ...order: number[]): Handle =>
    this.#run('Transpose', attrsOf('T=float', 'Tperm=int32'), x, this.ints(...order))

  /** Shifts an axis, what falls off its end begins it. */
  roll = (x: Handle, shift: number, axis: number): Handle =>
    this.#run('Roll', attrsOf('T=float', 'Tshift=int32', 'Taxis=int32'), x, this.scalarInt(shift), this.scalarInt(axis))

  /** Below each other. */
  concat(parts: Handle[]): Handle {
    const { TF_ATTR_INT } = this.#backend.binding
    const n = { name: 'N', type: TF_ATTR_INT, value: parts.length }
    return this.#run('ConcatV2', [...attrsOf('T=float', 'Tidx=int32'), n], ...parts, this.scalarInt(0))
  }

  graph = (graph: CompiledGraph, inputs: Handle[]): Handle[] => graph.run(inputs).map((handle) => this.#own(handle))

  /** A vector that stays. */
  ints(...values: number[]): Handle {
    return constant(values.join(), () => this.#backend.binding.createTensor([values.length], INT32, Int32Array.from(values)))
  }

  scalarInt(value: number): Handle {
    return constant(`int ${value}`, () => this.#backend.binding.createTensor([], INT32, Int32Array.of(value)))
  }

  scalar(value: number): Handle {
    return constant(`float ${value}`, () => this.#backend.binding.createTensor([], FLOAT, Float32Array.of(value)))
  }

  readonly free = (...handles: Handle[]): void => {
    for (const handle of handles) if (this.#made.delete(handle)) this.#backend.binding.deleteTensor(handle)
  }

  /** Hands a tensor over to tfjs. */
  give(handle: Handle, shape: number[]): tf.Tensor {
    this.#made.delete(handle)
    return this.#backend.createOutputTensor({ id: handle, shape, dtype: FLOAT })
  }

  close(): void {
    this.free(...this.#made)
  }

  #own(handle: Handle): Handle {
    this.#made.add(handle)
    return handle
  }

  #run(op: string, attrs: OpAttr[], ...inputs: Handle[]): Handle {
    const [output] = this.#backend.binding.executeOp(op, attrs, inputs, 1)
    return this.#own((output as { id: Handle }).id)
  }
}
export type { Ops }

/** Tensors in the library, tfjs's and others; constant operands, whose number has a bound, are not counted. */
export const liveTensors = (): number => nativeBackend().binding.getNumOfTensors() - constants.size

/** Runs a kernel made of raw operations; nothing but its result stays. */
export function withOps<T>(kernel: (ops: Ops) => T): T {
  const ops = new Ops()
  try {
    return kernel(ops)
  } finally {
    ops.close()
  }
}

function constant(key: string, make: () => Handle): Handle {
  const known = constants.get(key)
  if (known !== undefined) return known
  if (constants.size >= MOST_CONSTANTS) {
    for (const handle of constants.values()) nativeBackend().binding.deleteTensor(handle)
    constants.clear()
  }
  const made = make()
  constants.set(key, made)
  return made
}

const FAST_KERNEL = 'MklNameChangeOp'
let fastSoftmax: boolean | undefined

/** Tried once: builds without oneDNN do not know it. */
function hasFastSoftmax({ binding }: NativeBackend): boolean {
  const x = binding.createTensor([1, 2], FLOAT, new Float32Array(2))
  try {
    const [y] = binding.executeOp('_MklSoftmax', attrsOf('T=float', `_kernel=${FAST_KERNEL}`), [x], 1)
    binding.deleteTensor((y as { id: Handle }).id)
    return true
  } catch {
    return false
  } finally {
    binding.deleteTensor(x)
  }
}
