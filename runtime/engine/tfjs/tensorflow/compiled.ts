/**
 * A graph loaded into libtensorflow, to be run with the handles of tensors. The library takes graphs from a folder alone:
 * it gets a temporary one, which is gone again when this is made.
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VolleyError } from '../../../errors.ts'
import type { GraphDef } from './graph-def.ts'
import { type Handle, nativeBackend } from './load.ts'

export class CompiledGraph {
  readonly #id: number
  readonly #inputs: string
  readonly #outputs: string

  /** Names of its placeholders and of the nodes to be read, in the order of a run's. Error: `engine_unavailable`. */
  constructor(graph: GraphDef, inputs: readonly string[], outputs: readonly string[]) {
    const folder = mkdtempSync(join(tmpdir(), 'volley-graph-'))
    try {
      writeFileSync(join(folder, 'saved_model.pb'), graph.savedModel())
      this.#id = nativeBackend().binding.loadSavedModel(folder, 'serve')
    } catch (cause) {
      throw new VolleyError('engine_unavailable', `libtensorflow does not take a graph: ${(cause as Error).message}`, {
        cause,
        remedy: 'run `volley doctor`; --engine wasm needs no TensorFlow',
      })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    const first = (names: readonly string[]): string => names.map((name) => `${name}:0`).join()
    this.#inputs = first(inputs)
    this.#outputs = first(outputs)
  }

  /** The outputs; whoever runs it must free them. */
  run(inputs: Handle[]): Handle[] {
    return nativeBackend().binding.runSavedModel(this.#id, inputs, this.#inputs, this.#outputs).map(({ id }) => id)
  }

  dispose(): void {
    nativeBackend().binding.deleteSavedModel(this.#id)
  }
}
