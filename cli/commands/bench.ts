/**
 * `volley bench WHAT …`: hands over to the program that makes the figure. Each is `bench/WHAT.ts`, exports
 * `main(argv)`, and checks its own flags.
 * @module
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { nearest } from '../../runtime/config/mod.ts'
import { VolleyError } from '../../runtime/errors.ts'
import { projectRoot } from '../../runtime/platform.ts'
import type { Command } from '../command.ts'

/** `volley bench`. */
export const bench: Command = {
  name: 'bench',
  summary: 'The figures of the README: engine, hop, transfer, serve',
  positionals: [{ name: 'WHAT', help: 'which; its own flags follow' }],
  passesOn: true,
  async run({ positionals: [what = '', ...argv] }) {
    const folder = join(projectRoot, 'bench')
    const files = await readdir(folder).catch(() => [])
    const names = files.filter((file) => /^[a-z]+\.ts$/.test(file)).map((file) => file.slice(0, -3))
    if (!names.includes(what)) {
      const close = nearest(what, names)
      throw new VolleyError('unknown_command', what === '' ? 'WHAT is missing' : `Unknown benchmark "${what}"`, {
        remedy: close ? `did you mean \`volley bench ${close}\`?` : `there are: ${names.join(', ') || 'none yet'}`,
      })
    }
    const program = await import(pathToFileURL(join(folder, `${what}.ts`)).href) as Program
    await program.main(argv)
  },
}

interface Program {
  main(argv: readonly string[]): Promise<void>
}
