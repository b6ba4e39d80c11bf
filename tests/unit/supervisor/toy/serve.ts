/**
 * `volley serve` with toy roles instead of real ones.
 * @module
 */
import process from 'node:process'
import { runCommand } from '../../../../cli/command.ts'
import { serve } from '../../../../cli/commands/serve.ts'
import { untilStopped } from '../../../../cli/until-stopped.ts'
import { toVolleyError } from '../../../../runtime/errors.ts'

const toy = {
  ...serve,
  run: async (input: Parameters<typeof serve.run>[0]) => {
    const { config } = await input.resolve()
    await untilStopped(input, config, () => new Promise(() => {}), new URL('./role.ts', import.meta.url))
  },
}

runCommand(toy, process.argv.slice(2)).then(() => process.exit(), (thrown) => {
  const error = toVolleyError(thrown)
  process.stderr.write(`${error.toLine()}\n`)
  process.exit(error.kind.exit)
})
