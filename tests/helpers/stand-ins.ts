/**
 * Programs of other tools, played by shell scripts in a folder that is the whole PATH; and a cache folder of its own.
 * @module
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

const CHANGED = ['PATH', 'VOLLEY_CACHE', 'npm_execpath', 'CXX'] as const

export interface StandIns {
  /** The cache folder. */
  cache: string
  /** Gives back the environment and the disk. */
  restore(): void
}

/** `scripts`: name of a program to the body of its shell script. The system's own programs are there by full path only. */
export function standIns(scripts: Record<string, string>): StandIns {
  const folder = mkdtempSync(join(tmpdir(), 'volley-stand-in-'))
  const before = CHANGED.map((name) => [name, process.env[name]] as const)
  for (const name of CHANGED) delete process.env[name]
  for (const [name, body] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  const cache = join(folder, 'cache')
  process.env['PATH'] = folder
  process.env['VOLLEY_CACHE'] = cache
  return {
    cache,
    restore() {
      for (const [name, value] of before) if (value !== undefined) process.env[name] = value
      if (before.find(([name]) => name === 'VOLLEY_CACHE')?.[1] === undefined) delete process.env['VOLLEY_CACHE']
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
