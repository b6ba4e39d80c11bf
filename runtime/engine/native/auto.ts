/**
 * What `--engine auto` means on this machine for a model: prefill on native TensorFlow where it is set up, measured to be
 * faster, and the model is wide enough; else wasm for all. Depends on the record and the model's width alone, so that all
 * instances of one machine decide alike.
 * @module
 */
import { readRecord } from './record.ts'

/** A decision, in words too. */
export interface AutoEngine {
  prefill: 'tensorflow' | 'wasm'
  decode: 'wasm'
  why: string
}

/**
 * Below this width of its rows a model's products are so small that what a call costs decides: memory and start-up of
 * the library are then not worth it.
 */
const LEAST_WIDTH = 256
/** Native products must be this much faster: the operations between them gain less. */
const LEAST_GAIN = 1.5

/** For a model with rows of `hiddenSize` numbers. */
export function autoEngine(hiddenSize: number): AutoEngine {
  const wasm = (why: string): AutoEngine => ({ prefill: 'wasm', decode: 'wasm', why })
  const record = readRecord()
  if (record === undefined) return wasm('native TensorFlow is not set up')
  const { rates } = record
  if (rates === undefined) return wasm('native TensorFlow was set up before rates were measured: run the set-up again')
  const measured = `products ${rates.tensorflow} GFLOP/s on TensorFlow, ${rates.wasm} on wasm`
  if (rates.tensorflow < LEAST_GAIN * rates.wasm) return wasm(measured)
  if (hiddenSize < LEAST_WIDTH) return wasm(`the model's rows are ${hiddenSize} wide: too narrow to gain by TensorFlow`)
  return { prefill: 'tensorflow', decode: 'wasm', why: measured }
}
