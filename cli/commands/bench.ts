/**
 * `volley bench WHAT …`: hands over to the program that makes the figure. Each is `bench/WHAT.ts`, exports
 * `main(argv)`, and checks its own flags.
 * @module
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { nearest } from '../../runtime/config/mod.ts'
import { VolleyError } from '../../runtime/errors.ts'
import { projectRoot } from '../../runtime/platform.ts'
import type { Command } from '../command.ts'

const FIGURES: readonly string[] = ['engine', 'hop', 'transfer', 'serve', 'encode', 'profiles', 'results', 'simulated']

/** `volley bench`. */
export const bench: Command = {
  name: 'bench',
  summary: `The figures of the README: ${FIGURES.join(', ')}`,
  positionals: [{ name: 'WHAT', help: 'which; its own flags follow' }],
  passesOn: true,
  async run({ positionals: [what = '', ...argv] }) {
    if (!FIGURES.includes(what)) {
      const close = nearest(what, FIGURES)
      throw new VolleyError('unknown_command', what === '' ? 'WHAT is missing' : `Unknown benchmark "${what}"`, {
        remedy: close ? `did you mean \`volley bench ${close}\`?` : `there are: ${FIGURES.join(', ')}`,
      })
    }
    const program = await import(pathToFileURL(join(projectRoot, 'bench', `${what}.ts`)).href) as Program
    await program.main(argv)
  },
}

interface Program {
  main(argv: readonly string[]): Promise<void>
}
