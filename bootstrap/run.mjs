/**
 * The door of a checkout: `node bootstrap/run.mjs start|volley|test|check [arguments]`, behind the npm scripts and the
 * Deno tasks. Makes sure of a Node that is new enough and of the dependencies, then runs what was asked for. Plain
 * JavaScript without imports of ours that need more than Node 20; quiet when there is nothing to do.
 * @module
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { ensureDependencies } from './dependencies.mjs'
import { endWithNpm, runChild, runHere } from './launch.mjs'
import { ensureNode } from './node.mjs'
import { isScript, root, SetupError } from './steps.mjs'

const TARGETS = {
  start: { module: 'cli/main.ts', args: ['start'], ours: true },
  volley: { module: 'cli/main.ts', args: [], ours: true },
  test: { module: 'node_modules/vitest/vitest.mjs', args: ['run'], ours: false },
  check: { module: 'node_modules/typescript/bin/tsc', args: ['-p', '.'], ours: false },
}

async function main() {
  const [what = '', ...given] = process.argv.slice(2)
  const target = Object.hasOwn(TARGETS, what) ? TARGETS[what] : undefined
  if (target === undefined) {
    throw new SetupError(`Cannot run "${what}"`, `say one of ${Object.keys(TARGETS).join(', ')}`, 'unknown_command', 2)
  }
  const isReady = endWithNpm()
  const node = await ensureNode()
  await ensureDependencies(node)
  isReady()
  const module = join(root, target.module)
  if (!existsSync(module)) throw new SetupError(`Cannot find ${module}`, 'check out the project again', 'internal', 1)
  const args = [...target.args, ...given]
  // Paths that a person types mean the folder they typed them in; the tools expect the project's.
  const folder = target.ours ? (isScript && process.env.INIT_CWD) || process.cwd() : root
  if (target.ours && node === process.execPath) return runHere(pathToFileURL(module).href, module, args, folder)
  return runChild(node, module, args, folder, { watchesParent: target.ours })
}

main().catch((error) => {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`${error.message}. To fix: ${error.remedy} [${error.code}]\n`)
  process.exit(error.exit)
})
