/**
 * The machine beside a figure: processor, the instructions that decide how fast products are, and how idle it is.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { round } from './flags.ts'

const TELLING = /^(?:avx2|avx_vnni|avx512f|avx512_bf16|avx512_fp16|avx512_vnni|amx_\w+|fma|asimd\w*|sve\w*|i8mm|bf16)$/

/** One figure for a `machine` line: `idle` is the share of all cores' time that nobody used in the last second. */
export async function machine(): Promise<Record<string, unknown>> {
  const before = times()
  await setTimeout(1000)
  const after = times()
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  const [, words = ''] = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(info) ?? []
  const [, family] = /^cpu family\s*:\s*(\d+)$/m.exec(info) ?? []
  const [, model] = /^model\s*:\s*(\d+)$/m.exec(info) ?? []
  const flags = words.split(' ').filter((word) => TELLING.test(word))
  return {
    bench: 'machine',
    cpu: cpus()[0]?.model ?? 'unknown',
    ...(family !== undefined && { family: Number(family), model: Number(model) }),
    flags,
    // The two that decide how fast quantised products are.
    amx: flags.some((flag) => flag.startsWith('amx_')),
    avx512: flags.includes('avx512f'),
    cores: cpus().length,
    idle: round((after.idle - before.idle) / (after.all - before.all), 2),
  }
}

function times(): { idle: number; all: number } {
  const each = cpus().map((cpu) => cpu.times)
  const idle = each.reduce((sum, time) => sum + time.idle, 0)
  return { idle, all: each.reduce((sum, { user, nice, sys, irq }) => sum + user + nice + sys + irq, idle) }
}
