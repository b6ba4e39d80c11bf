/**
 * `volley setup tensorflow`: sees whether a binding works here, else says what will be fetched, asks, and does it.
 * @module
 */
import process from 'node:process'
import { createInterface } from 'node:readline/promises'
import { VolleyError } from '../../runtime/errors.ts'
import { lookForBinding, planOf, removeTensorflow, setUp } from '../../runtime/setup/tensorflow/mod.ts'
import type { Command, Input } from '../command.ts'
import { formatBytes, terminalProgress } from '../ui/progress.ts'
import { stopSignal } from '../ui/signals.ts'

/** `volley setup`. */
export const setup: Command = {
  name: 'setup',
  summary: 'Fetch and build what --engine tensorflow needs, where the package\'s own installer cannot',
  positionals: [{ name: 'WHAT', help: 'tensorflow' }],
  flags: [
    { name: 'gpu', help: 'for a GPU; fails if none is used in the end' },
    { name: 'yes', help: 'agree to what will be fetched, without being asked' },
    { name: 'remove', help: 'undo it: gives the disk back' },
  ],
  async run(input) {
    const { positionals: [what], has, output } = input
    if (what !== 'tensorflow') {
      throw new VolleyError('unknown_command', `Cannot set up "${what ?? ''}"`, { remedy: 'volley setup tensorflow' })
    }
    if (has('remove')) {
      const removed = await removeTensorflow()
      return output.data({ setup: what, removed }, removed ? 'removed' : 'nothing was set up')
    }
    const signal = stopSignal()
    const gpu = has('gpu')
    const known = await lookForBinding({ gpu, signal })
    if (known === undefined) await agree(input, gpu, signal)
    const record = known ?? (await setUp({ gpu, signal, progress: terminalProgress() }))
    const { library, device, folder, cases, rates } = record
    const measured = rates && `, a product of one thread at ${rates.tensorflow} GFLOP/s (wasm: ${rates.wasm})`
    output.data(
      { setup: what, ...record, changed: known === undefined },
      `TensorFlow ${library} on the ${device} passes its test (${cases} cases)${measured ?? ''}: ${folder}\n--engine auto takes it for the prompts of models that gain by it; by name: --engine prefill:tensorflow,decode:wasm`,
    )
  },
}

/** Shows the plan and waits for a yes. Error: `setup_failed` without one. */
async function agree({ has, output }: Input, gpu: boolean, signal: AbortSignal): Promise<void> {
  const { library, device, downloadBytes, diskBytes, peakBytes, home } = planOf(gpu)
  const wheels = [library, ...device].map(({ name, version }) => `${name} ${version}`)
  output.note([
    'No TensorFlow binding works on this machine yet. To be fetched and built:',
    '  through npm   @tensorflow/tfjs-node 4.22.0 (sources of the binding) and node-gyp 12.4.0, with what they need',
    `  through pip   ${wheels.join(', ')}`,
    `  download      about ${formatBytes(downloadBytes)}, each file checked against a hash that is kept in this project`,
    `  disk          about ${formatBytes(diskBytes)} in ${home}; ${formatBytes(peakBytes)} while it is being set up`,
    '  needs         g++ (or clang++), make, Python 3 with pip, npm',
    'Nothing is put into the project; `volley setup tensorflow --remove` takes it away again.',
  ].join('\n'))
  if (has('yes')) return
  const declined = (why: string) => new VolleyError('setup_failed', why, { remedy: 'volley setup tensorflow --yes' })
  if (!process.stdin.isTTY) throw declined('Nobody is here to agree to this')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    // Who stops it here has not agreed.
    const answer = await terminal.question('Go on? [y/N] ', { signal }).catch(() => '')
    if (!/^y(?:es)?$/i.test(answer.trim())) throw declined('Nothing was done')
  } finally {
    terminal.close()
  }
}
