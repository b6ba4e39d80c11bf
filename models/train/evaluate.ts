/**
 * Exact-answer accuracy by kind of question, beside the majority answer's, from what Volley generates for the cases
 * that cases.py wrote.
 *
 *     node models/train/evaluate.ts MODEL CASES [--out FILE] [--show N]
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Answerer } from './answer.ts'

interface Case {
  kind: string
  split: string
  picture?: string
  question: string
  answer: string
  common: boolean
}

const TOGETHER = 32

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string' }, show: { type: 'string', default: '0' } },
})
const [model, folder] = positionals
if (model === undefined || folder === undefined) throw new Error('usage: evaluate.ts MODEL CASES [--out FILE] [--show N]')
const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as Case[]
const answerer = await Answerer.open(model)
const rows = new Map<string, { right: number; common: number; cases: number; wrong: string[] }>()
for (let start = 0; start < cases.length; start += TOGETHER) {
  const some = cases.slice(start, start + TOGETHER)
  const answers = await answerer.answer(some.map(({ picture, question }) => ({
    question,
    ...(picture === undefined ? {} : { picture: readFileSync(join(folder, picture)) }),
  })))
  some.forEach(({ kind, split, picture, question, answer, common }, i) => {
    const row = rows.get(`${kind}|${split}`) ?? { right: 0, common: 0, cases: 0, wrong: [] }
    rows.set(`${kind}|${split}`, row)
    row.cases += 1
    row.common += Number(common)
    if (answers[i] === answer) row.right += 1
    else row.wrong.push(`${picture ?? 'no picture'}: ${question} -> ${answers[i]} (${answer})`)
  })
}
answerer.dispose()

const share = (part: number, whole: number): number => Math.round((1000 * part) / whole) / 1000
const percent = (x: number): string => `${(100 * x).toFixed(1)} %`
const table = [...rows].map(([name, { right, common, cases: count, wrong }]) => {
  const [kind = '', split = ''] = name.split('|')
  const row = { kind, split, cases: count, accuracy: share(right, count), majority: share(common, count) }
  console.log(`| ${kind} | ${split} | ${count} | ${percent(row.accuracy)} | ${percent(row.majority)} |`)
  for (const line of wrong.slice(0, Number(values.show))) console.log(`    ${line}`)
  return row
})
if (values.out !== undefined) {
  writeFileSync(values.out, `[\n${table.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`)
}
