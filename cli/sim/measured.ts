/**
 * `volley sim --measured`: the simulator against runs of real engines, and `--profile list`: the profiles that ship.
 * @module
 */
import { compareRun, type Comparison, measuredNames, measuredRun, profileInfos } from '../../runtime/sim/mod.ts'
import type { Output } from '../ui/output.ts'

/** One run, or `all`, and how far off the simulator is. Error: `invalid_flag`. */
export function printMeasured(output: Output, which: string): void {
  const names = which === 'all' ? measuredNames : [which]
  for (const run of names.map(measuredRun)) {
    const result = compareRun(run)
    const { name, engine, profile, licence, source, ttftMs, calibrated } = run
    output.data(
      { measured: name, engine, profile, requests: ttftMs.length - calibrated, source, licence, ...result },
      `${name} (${engine}, ${ttftMs.length - calibrated} requests)\n${agreementLines(result)}`,
    )
  }
}

/** Four lines for people: TTFT and TPOT, mean and p90. */
function agreementLines(result: Comparison): string {
  return (['ttftMs', 'tpotMs'] as const).flatMap((key) =>
    (['mean', 'p90'] as const).map((which) => {
      const { measured, simulated, error } = result[key][which]
      const name = `${key.slice(0, 4).toUpperCase()} ${which}`
      const off = `${error >= 0 ? '+' : ''}${(100 * error).toFixed(1)} %`
      return `  ${name.padEnd(10)} measured ${measured.toFixed(1).padStart(9)} ms  simulated ${
        simulated.toFixed(1).padStart(9)
      } ms  ${off.padStart(8)}`
    })
  ).join('\n')
}

/** The profiles that ship, with where they come from. */
export function printProfiles(output: Output): void {
  output.table(profileInfos().map((info) => ({ ...info })), [
    'profile',
    'gpu',
    'model',
    'fitError',
    'source',
    'licence',
  ])
}
