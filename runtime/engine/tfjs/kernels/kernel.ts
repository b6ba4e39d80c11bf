/**
 * What a named kernel is: a name in tfjs's registry and a reference made of stock ops. A backend may register a faster
 * one under the same name; the model cannot tell, and the reference stays the oracle.
 * @module
 */
import * as tf from '@tensorflow/tfjs-core'

/** Tensors by role; an optional input is absent, never undefined. */
type Inputs = Record<string, tf.Tensor>

export interface Kernel<I extends object, A extends object, O extends tf.Tensor | tf.Tensor[] = tf.Tensor> {
  readonly name: string
  /** Runs on every backend. Called inside a tidy: temporaries need no care. */
  reference(inputs: I, attrs: A): O
}

/** Runs whatever the current backend has registered under the kernel's name. */
export function call<I extends object, A extends object, O extends tf.Tensor | tf.Tensor[]>(
  kernel: Kernel<I, A, O>,
  inputs: I,
  attrs: A,
): O {
  // tfjs types attributes as plain data but hands them through untouched; pools and tables ride along as objects.
  return tf.engine().runKernel<O>(kernel.name, inputs as Inputs, attrs as unknown as tf.NamedAttrMap)
}
