/**
 * Where a TensorFlow binding that works on this machine lies: one JSON file in the user's cache, written by the set-up
 * when a self-test has passed. Knows that file; neither how the binding came nor how it is loaded.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { cacheDir, projectRoot } from '../../platform.ts'

/** Packages that hold the binding, in the order in which they are looked for. */
const BINDINGS = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const

/** What the two backends that prefill can take reach, measured in the same process. */
export interface Rates {
  tensorflow: number
  wasm: number
}

/** What was set up, and how it did in its test. */
export interface TensorflowRecord {
  /** Of this file's shape. */
  format: 1
  /** Folder of the package that holds the binding. */
  folder: string
  /** `fetched` = into the cache, by the set-up; `found` = it was there. */
  origin: 'fetched' | 'found'
  /** Version of libtensorflow. */
  library: string
  device: 'cpu' | 'gpu'
  /** What was compared in the self-test. */
  cases: number
  /** One thread's rates in a product as prefill has it, in gigaflops; absent in records of an earlier set-up. */
  rates?: Rates
  /** Runtime that ran the self-test, such as `node 24.21.0`. */
  testedOn: string
  /** ISO 8601. */
  madeAt: string
}

/** The file. */
export const recordFile = (): string => cacheDir('tensorflow.json')

/** The record; undefined where there is none, or where what it names is gone. */
export function readRecord(): TensorflowRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(recordFile(), 'utf8')) as TensorflowRecord
    return record.format === 1 && existsSync(join(record.folder, 'package.json')) ? record : undefined
  } catch {
    return undefined
  }
}

/** Folders of binding packages that the project can see because its user installed one. */
export function installedBindings(): string[] {
  const { resolve } = createRequire(join(projectRoot, 'package.json'))
  return BINDINGS.flatMap((name) => {
    try {
      return [dirname(resolve(`${name}/package.json`))]
    } catch {
      return []
    }
  })
}
